//! What happened, who did it, to what, and with which result.
