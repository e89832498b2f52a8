//! Decides: may this subject do this action on this resource?
