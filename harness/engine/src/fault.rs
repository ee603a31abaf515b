//! Faults: something injected, shown to have taken place, and healed on every way out. One file for each family.

mod network;
mod protocol;

use async_trait::async_trait;

/// What shows that a fault took place.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Evidence {
    /// Whether it did.
    pub(crate) took_place: bool,
    /// In words, with the numbers: `limit 512 MiB → 307 MiB, as the kernel has it`.
    pub(crate) words: String,
    /// The numbers by name, with the unit last in the name: `limit_bytes`.
    pub(crate) figures: Vec<(&'static str, f64)>,
}

/// A fault that is on. Dropping it heals what this process holds; what outlives the process is in the register.
#[async_trait]
pub(crate) trait Guard: Send {
    /// What shows now that it takes place. Asked at the end of the hold, before it is healed.
    async fn evidence(&mut self) -> Evidence;
    /// Takes it back; returns when nothing of it is left. An error says what is left, and what a person can do.
    async fn heal(self: Box<Self>) -> Result<(), String>;
}
