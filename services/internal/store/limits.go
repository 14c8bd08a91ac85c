package store

// Limits that every implementation keeps. What is past one is refused with
// [ErrInvalid] before anything is written.
const (
	// MaxID is the length of a primary key in bytes. See [ClaimID] for keys that are
	// made from what people type.
	MaxID = 127
	// MaxBody is the size of a body in bytes.
	MaxBody = 4 << 20
	// MaxVersionPart is the largest value of a part of a [Version].
	MaxVersionPart = 1<<53 - 1
	// MaxIndexFields is the number of fields of one index.
	MaxIndexFields = 4
	// MaxIndexString is how many bytes of a string an index sees; see [Index].
	MaxIndexString = 64
	// MaxMultiEntries is how many different elements a [Index.Multi] array may have.
	MaxMultiEntries = 1024
	// MaxWhere is the number of conditions in [Query.Where].
	MaxWhere = 16
	// DefaultLimit is the size of a page when [Query.Limit] is zero.
	DefaultLimit = 50
	// MaxLimit is the largest [Query.Limit].
	MaxLimit = 500
	// MaxScan is how many documents one Find looks at before it ends its page. A page
	// that ends there is short, even empty, and has a Next.
	MaxScan = 5000
)
