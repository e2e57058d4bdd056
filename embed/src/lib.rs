//! What the examples of embedding have in common: one conversation, which every one of them holds.
#![no_std]

extern crate alloc;

pub mod conversation;
