//! `taskman bench`: measures the fleet beside a bare echo in the same run.
