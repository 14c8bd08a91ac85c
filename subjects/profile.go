package subjects

// Endpoints of the profile service, for Query.
const (
	ProfileGet    = "get"    // ProfileGetRequest → Profile
	ProfileBatch  = "batch"  // ProfileBatchRequest → ProfileBatchAnswer
	ProfileUpdate = "update" // ProfileUpdateRequest → Profile
)

// Limits of profiles.
const (
	// MaxBio bounds a profile's text, in characters.
	MaxBio = 500
	// MaxAvatarURL bounds the address of a picture, in bytes.
	MaxAvatarURL = 2048
	// MaxProfileBatch bounds the ids of one ProfileBatchRequest.
	MaxProfileBatch = 100
)

// Profile is what a person shows of themselves; also the public document of the table
// TableProfiles on the STATE stream. It is created from the account, once.
type Profile struct {
	// ID is the account's.
	ID       string `json:"id"`
	Nickname string `json:"nickname"`
	Bio      string `json:"bio"`
	// AvatarURL is an absolute http or https address, or empty.
	AvatarURL string `json:"avatarUrl"`
	// CreatedAt is when the account was made, in Unix milliseconds.
	CreatedAt int64 `json:"createdAt"`
	// Rev counts the profile's versions, from 1.
	Rev uint64 `json:"rev"`
}

// ProfileGetRequest asks for one profile. Refusals: CodeNotFound; CodeUnavailable for
// one's own profile that is still being created.
type ProfileGetRequest struct {
	ID string `json:"id"`
	// Viewer is the user who asks, as the edge verified; empty for nobody in particular.
	Viewer string `json:"viewer,omitempty"`
}

// ProfileBatchRequest asks for several profiles, for a roster. Refusals: CodeInvalid,
// CodeTooLarge.
type ProfileBatchRequest struct {
	IDs    []string `json:"ids"`
	Viewer string   `json:"viewer,omitempty"`
}

// ProfileBatchAnswer holds what was found, in the order asked and each id once.
type ProfileBatchAnswer struct {
	Profiles []Profile `json:"profiles"`
}

// ProfileUpdateRequest changes one's own profile; what is nil stays. Refusals:
// CodeInvalid with the field, CodeConflict, CodeUnavailable for a profile that is still
// being created.
type ProfileUpdateRequest struct {
	// UserID is who asks, as the edge verified, and so whose profile it is.
	UserID    string  `json:"userId"`
	Bio       *string `json:"bio,omitempty"`
	AvatarURL *string `json:"avatarUrl,omitempty"`
	// Rev, if not 0, is the version that the change was made from: CodeConflict if there
	// is a newer one.
	Rev uint64 `json:"rev,omitempty"`
}
