//! One page of a list.

use crate::PageSize;

/// Some items of a list, and where the list goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// The token of the next page; empty on the last one.
    pub next_page_token: String,
}

impl<T> Page<T> {
    /// Makes a page of `rows`, which were read with [`PageSize::limit`]; `token` seals the position of the last item
    /// that is on the page, and is asked only when there is a next one.
    pub fn from_rows(mut rows: Vec<T>, size: PageSize, token: impl FnOnce(&T) -> String) -> Self {
        let more = rows.len() > size.get();
        rows.truncate(size.get());
        let next_page_token = rows.last().filter(|_| more).map(token).unwrap_or_default();
        Self { items: rows, next_page_token }
    }

    /// Says whether the list ends with this page.
    pub fn is_last(&self) -> bool {
        self.next_page_token.is_empty()
    }

    /// Turns every item into another.
    pub fn map<U>(self, turn: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(turn).collect(), next_page_token: self.next_page_token }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_of(rows: usize, size: i32) -> Page<usize> {
        Page::from_rows((0..rows).collect(), PageSize::parse(size).unwrap(), |last| format!("after {last}"))
    }

    #[test]
    fn the_extra_row_is_cut_off_and_makes_the_token() {
        assert_eq!(page_of(4, 3), Page { items: vec![0, 1, 2], next_page_token: "after 2".to_owned() });
    }

    #[test]
    fn a_list_that_ends_exactly_with_the_page_has_no_next_page() {
        assert!(page_of(3, 3).is_last());
        assert!(page_of(0, 3).is_last());
        assert_eq!(page_of(2, 3).map(|item| item + 1).items, [1, 2]);
    }
}
