//! The catalogue of domain events, their envelope and who subscribes to them.
