//! Page sizes, sealed page tokens and pages of results.
//!
//! A list is read by keyset: rows after a position, one more than the page holds. The position of the last row goes to
//! the client in a token that it can neither read nor change nor use for another list:
//!
//! ```
//! # use taskman_paging::{Page, PageSize, TokenSealer, args_hash, PageTokenInvalid};
//! # use taskman_ids::CompanyId;
//! # fn rows(_after: Option<(i64, u32)>, limit: i64) -> Vec<(i64, u32)> { (0..limit).map(|n| (n, 7)).collect() }
//! # fn list(company: CompanyId, now: chrono::DateTime<chrono::Utc>, token: &str) -> Result<(), PageTokenInvalid> {
//! let sealer = TokenSealer::new(&[7; 32], None);
//! let size = PageSize::parse(20).unwrap_or_default();
//! let list = sealer.list(args_hash(&("ListTasks", "status = todo")), company, now);
//! let after: Option<(i64, u32)> = list.open(token)?;
//! let page = list.page(rows(after, size.limit()), size, |last| *last);
//! assert_eq!(page.items.len(), 20);
//! # Ok(())
//! # }
//! # list(CompanyId::new(), chrono::DateTime::UNIX_EPOCH, "").unwrap();
//! ```

mod page;
mod size;
mod token;

pub use page::Page;
pub use size::{PageSize, PageSizeInvalid};
pub use token::{List, PageTokenInvalid, TokenSealer, args_hash};
