//! What is deployed, without a browser: the program on bad input, the headers that it really sends.

mod headers;
mod starting;
