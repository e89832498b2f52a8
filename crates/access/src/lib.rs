//! The enforcement layer: who may call which method on which resource.
