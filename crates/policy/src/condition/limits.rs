//! Bounds what reaches the parser, and gives it room.
//!
//! The parser recurses, so a hostile text could exhaust a stack, which ends the process. Brackets are therefore counted
//! before parsing, the length is limited, and parsing happens on a thread whose stack is large enough for the deepest text
//! that passes.

use std::thread;

use super::{ConditionError, Position};

/// The longest source, in bytes.
pub const MAX_SOURCE: usize = 4096;
/// The deepest nesting of brackets.
pub const MAX_BRACKETS: usize = 64;
/// The most nodes of a condition.
pub const MAX_NODES: usize = 512;
/// The deepest nesting of a condition.
pub const MAX_DEPTH: usize = 64;
/// The deepest nesting of `all`, `exists`, `exists_one`, `map` and `filter`.
pub const MAX_LOOPS: usize = 2;
/// What one evaluation may cost; a step costs 1, work on texts and lists costs in proportion to their size.
pub const FUEL: u64 = 250_000;
/// The longest text that an evaluation may build, in bytes.
pub const MAX_TEXT: usize = 64 * 1024;

/// A left-recursive chain of 4 KiB takes less than 4 MiB, 96 nested expressions (the parser's own limit) less than 14 MiB
/// even in an unoptimised build.
const STACK: usize = 32 * 1024 * 1024;

/// Proves that the code runs on a thread with a large stack.
#[derive(Debug)]
pub(crate) struct BigStack(());

/// Says that no thread could be started, or that it died.
#[derive(Debug)]
pub(crate) struct NoStack;

/// Runs `work` on a thread with a large stack and waits for it.
pub(crate) fn on_big_stack<T: Send>(work: impl FnOnce(&BigStack) -> T + Send) -> Result<T, NoStack> {
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("policy-compiler".to_owned()).stack_size(STACK);
        let thread = builder.spawn_scoped(scope, || work(&BigStack(()))).map_err(|_| NoStack)?;
        thread.join().map_err(|_| NoStack)
    })
}

/// Refuses a source that is too long or nested too deep to be parsed.
pub(super) fn check_source(source: &str) -> Result<(), ConditionError> {
    if source.len() > MAX_SOURCE {
        return Err(ConditionError::at(Position::START, format!("must not be longer than {MAX_SOURCE} bytes")));
    }
    if source.trim().is_empty() {
        return Err(ConditionError::at(Position::START, "must not be empty"));
    }
    let mut depth = 0_usize;
    for (offset, bracket) in brackets(source) {
        if matches!(bracket, b'(' | b'[' | b'{') {
            depth += 1;
        } else {
            depth = depth.saturating_sub(1);
        }
        if depth > MAX_BRACKETS {
            let message = format!("brackets must not be nested deeper than {MAX_BRACKETS}");
            return Err(ConditionError::at(Position::of_byte(source, offset), message));
        }
    }
    Ok(())
}

/// Finds the brackets outside texts and comments. A closing bracket inside a text must not be counted: it would hide an
/// opening one.
fn brackets(source: &str) -> Vec<(usize, u8)> {
    let bytes = source.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => at = end_of_text(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length);
            }
            b'(' | b'[' | b'{' | b')' | b']' | b'}' => {
                found.push((at, byte));
                at += 1;
            }
            _ => at += 1,
        }
    }
    found
}

/// Returns where the text that opens at `start` has ended: behind its closing quotes, or at the end of a line that leaves
/// it open.
fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let raw = prefix(bytes, start).any(|byte| matches!(byte, b'r' | b'R'));
    let quote = bytes[start];
    let triple = bytes[start..].starts_with(&[quote; 3]);
    let mut at = start + if triple { 3 } else { 1 };
    while let Some(&byte) = bytes.get(at) {
        if byte == b'\\' && !raw {
            at += 2;
        } else if triple && bytes[at..].starts_with(&[quote; 3]) {
            return at + 3;
        } else if !triple && byte == quote {
            return at + 1;
        } else if !triple && matches!(byte, b'\n' | b'\r') {
            return at;
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// Returns the letters right before a quote, which may make the text raw; at most two, and no tail of a longer word.
fn prefix(bytes: &[u8], quote: usize) -> impl Iterator<Item = u8> + '_ {
    let letters = bytes[..quote].iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    let taken = if letters <= 2 { letters } else { 0 };
    bytes[quote - taken..quote].iter().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_inside_texts_and_comments_do_not_count() {
        let count = |source: &str| brackets(source).len();
        assert_eq!(count("f(a[0])"), 4);
        assert_eq!(count(r#"'((' + ")]}" + f()"#), 2);
        assert_eq!(count(r"'\'(' + r'\' + f()"), 2);
        assert_eq!(count("'''(' (''' + f()"), 2);
        assert_eq!(count("f() // ((("), 2);
    }

    #[test]
    fn a_closing_bracket_in_a_text_hides_no_opening_one() {
        let hidden = "( ')' + ".repeat(MAX_BRACKETS + 1);
        let refused = check_source(&hidden);
        assert!(refused.is_err_and(|error| error.message.contains("nested deeper")));
    }
}
