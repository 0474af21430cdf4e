//! Every test that needs more than one unit: one binary, one file a feature.
