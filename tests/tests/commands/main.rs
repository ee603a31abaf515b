//! The commands that run nothing, as a person meets them: what they print, what they say of a mistake, how they end.

mod mistakes;
mod pipes;
mod records;
mod results;
