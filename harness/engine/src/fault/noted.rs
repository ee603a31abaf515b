//! A fault of which something stays with the target when the harness is killed: written down before it begins, struck off when it is healed.

use async_trait::async_trait;

use super::{Evidence, Guard};
use crate::residue::{Register, Residue};

/// Begins a fault once what it makes is written down. `begin` may do nothing before it is awaited; where it fails, it has made nothing.
pub(super) async fn noted(
    register: &Register,
    residue: Residue,
    begin: impl Future<Output = Result<Box<dyn Guard>, String>>,
) -> Result<Box<dyn Guard>, String> {
    register.note(&residue)?;
    match begin.await {
        Ok(guard) => Ok(Box::new(Noted { guard, register: register.clone(), residue })),
        Err(why) => {
            register.strike(&residue);
            Err(why)
        }
    }
}

struct Noted {
    guard: Box<dyn Guard>,
    register: Register,
    residue: Residue,
}

#[async_trait]
impl Guard for Noted {
    async fn evidence(&mut self) -> Evidence {
        self.guard.evidence().await
    }

    async fn heal(self: Box<Self>) -> Result<(), String> {
        self.guard.heal().await?;
        self.register.strike(&self.residue);
        Ok(())
    }
}
