//! Assembly of a service: configuration, lifecycle, admin port and the parts a service is made of.
