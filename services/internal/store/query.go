package store

// Query says which documents of a table to find, by which index, and which page.
//
// The index narrows: Equal fixes its first fields, and then either From and To, or
// Prefix, bound the next one. Where filters what is left, document by document, so
// it costs what the index let through. Deleted documents are never found.
type Query struct {
	// Index to go by; empty for the primary key, whose only field is the id.
	Index string
	// Equal holds values for the first fields of the index: bool, string, or a number
	// of any Go type. An index that is Multi needs at least the first.
	Equal []any
	// From and To bound the field after those in Equal: From is included, To is not;
	// nil leaves that side open. They may differ in kind: see [Index] for the order.
	From, To any
	// Prefix bounds the field after those in Equal to strings that begin so. It
	// excludes From and To.
	Prefix string
	// Where holds, for paths in the body as in [Index.Fields], the value that must be
	// there: bool, string or number, compared whole.
	Where map[string]any
	// Limit is the most documents to return, [DefaultLimit] if zero, [MaxLimit] at
	// most.
	Limit int
	// Descending reverses the order, ids included.
	Descending bool
	// Cursor is the Next of the page before, empty for the first page. It belongs to
	// this very query, Limit aside. Documents written between pages do not disturb:
	// one that stays in its place is seen exactly once.
	Cursor string
}
