//! `soak capacity search`: the smallest limit that a load survives.
