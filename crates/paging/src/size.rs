//! How many items a page holds.

/// The size of a page: 1 to 200 items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize(u8);

/// Says that a page size is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must not be negative")]
pub struct PageSizeInvalid;

impl PageSize {
    /// The size of a page when the client names none.
    pub const DEFAULT: Self = Self(50);
    /// The largest page; who asks for more gets this.
    pub const MAX: Self = Self(200);

    /// Reads a request's `page_size`: 0 means the default, more than the largest means the largest.
    pub fn parse(size: i32) -> Result<Self, PageSizeInvalid> {
        match size {
            ..0 => Err(PageSizeInvalid),
            0 => Ok(Self::DEFAULT),
            size => Ok(u8::try_from(size).map_or(Self::MAX, |size| Self(size.min(Self::MAX.0)))),
        }
    }

    /// Returns the number of items.
    pub const fn get(self) -> usize {
        self.0 as usize
    }

    /// Returns the SQL `LIMIT`: one row more than the page holds, which tells whether there is a next page.
    pub fn limit(self) -> i64 {
        i64::from(self.0) + 1
    }
}

impl Default for PageSize {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_defaulted_cut_or_refused() {
        for (asked, given) in
            [(0, 50), (1, 1), (50, 50), (199, 199), (200, 200), (201, 200), (256, 200), (i32::MAX, 200)]
        {
            assert_eq!(PageSize::parse(asked).map(PageSize::get), Ok(given), "{asked}");
        }
        for asked in [-1, i32::MIN] {
            assert_eq!(PageSize::parse(asked), Err(PageSizeInvalid));
        }
    }

    #[test]
    fn one_row_more_is_read_than_the_page_holds() {
        assert_eq!(PageSize::MAX.limit(), 201);
    }
}
