//! The runbook for Longbow, “High Memory Usage Troubleshooting Runbook”, by its parts.

pub(super) mod diagnosis;
pub(super) mod prevention;
pub(super) mod steps;
pub(super) mod symptoms;
