package subjects

import "strings"

// Endpoints of the profile service, for Query.
const (
	ProfileGet    = "get"    // ProfileGetRequest → Profile
	ProfileBatch  = "batch"  // ProfileBatchRequest → ProfileBatchAnswer
	ProfileUpdate = "update" // ProfileUpdateRequest → Profile

	ProfilePerson    = "person"    // PersonRequest → Person
	ProfileSearch    = "search"    // PeopleRequest → PeoplePage
	ProfileFollowers = "followers" // RelationsRequest → PeoplePage
	ProfileFollowing = "following" // RelationsRequest → PeoplePage
	ProfileFollow    = "follow"    // FollowRequest → FollowAnswer
	ProfileUnfollow  = "unfollow"  // FollowRequest → FollowAnswer
	ProfileFollows   = "follows"   // FollowRequest → FollowAnswer
)

// TableFollows holds who follows whom, a Follow by FollowID. On the STATE stream each is
// an own document of the follower, under the id of the followed: nobody else reads it
// there.
const TableFollows = "follows"

// Limits of profiles.
const (
	// MaxBio bounds a profile's text, in characters.
	MaxBio = 500
	// MaxAvatarURL bounds the address of a picture, in bytes.
	MaxAvatarURL = 2048
	// MaxProfileBatch bounds the ids of one ProfileBatchRequest.
	MaxProfileBatch = 100
	// MaxPeople bounds a page of people.
	MaxPeople = 100
	// MaxFollows bounds whom one user follows. How many follow them is not bounded.
	MaxFollows = 1000
	// MaxFollowersCounted is up to where followers are counted: it stands for as many or
	// more.
	MaxFollowersCounted = 5000
)

// Profile is what a person shows of themselves; also the public document of the table
// TableProfiles on the STATE stream. It is created from the account, once, and its
// nickname follows the account's.
type Profile struct {
	// ID is the account's.
	ID       string `json:"id"`
	Nickname string `json:"nickname"`
	Bio      string `json:"bio"`
	// AvatarURL is an absolute http or https address, or empty.
	AvatarURL string `json:"avatarUrl"`
	// CreatedAt is when the account was made, in Unix milliseconds.
	CreatedAt int64 `json:"createdAt"`
	// Relations says who sees whom the person follows and who follows them: everybody,
	// their followers, or only they. VisibilityPublic at first.
	Relations Visibility `json:"relations"`
	// Heard says who sees what they have listened to. VisibilityPrivate at first.
	Heard Visibility `json:"heard"`
	// Rev counts the profile's versions, from 1. Of two states of a profile the one with
	// the higher Rev is the newer.
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
	// Relations and Heard are as in Profile.
	Relations *Visibility `json:"relations,omitempty"`
	Heard     *Visibility `json:"heard,omitempty"`
	// Rev, if not 0, is the version that the change was made from: CodeConflict if there
	// is a newer one.
	Rev uint64 `json:"rev,omitempty"`
}

// PersonRequest asks for one person as the viewer sees them. Refusals: as
// ProfileGetRequest.
type PersonRequest struct {
	ID string `json:"id"`
	// Viewer is the user who asks, as the edge verified; empty for a guest.
	Viewer string `json:"viewer,omitempty"`
}

// Person is a profile, and how it stands to others as far as the viewer may know.
type Person struct {
	Profile
	// Followers and Following count who follows the person and whom they follow; absent
	// where the viewer may not see their relations. Followers is at most
	// MaxFollowersCounted, which stands for as many or more. They count also those that a
	// page leaves out because the other person keeps them hidden.
	Followers *int `json:"followers,omitempty"`
	Following *int `json:"following,omitempty"`
	// You is absent for a guest and for oneself.
	You *PersonYou `json:"you,omitempty"`
}

// PersonYou is how a person and the viewer stand to each other, which both always know.
type PersonYou struct {
	// Follows is set if the viewer follows the person, FollowsYou if the person follows
	// the viewer.
	Follows    bool `json:"follows"`
	FollowsYou bool `json:"followsYou"`
}

// PeopleRequest asks for the people whose nickname begins so, in the order of their
// nicknames. Refusals: CodeInvalid with the field.
type PeopleRequest struct {
	Viewer string `json:"viewer,omitempty"`
	// Prefix is one character or more; case, and how the characters are composed, do not
	// matter.
	Prefix string `json:"prefix"`
	// Cursor is the Next of the page before; empty for the first.
	Cursor string `json:"cursor,omitempty"`
	// Limit is 1 to MaxPeople; 0 means MaxPeople.
	Limit int `json:"limit,omitempty"`
}

// RelationsRequest asks who follows a user, or whom they follow, the latest first.
// Refusals: CodeInvalid with the field, CodeNotFound, CodeForbidden where the user's
// relations are hidden from the viewer.
type RelationsRequest struct {
	User string `json:"user"`
	// Viewer is the user who asks, as the edge verified; empty for a guest.
	Viewer string `json:"viewer,omitempty"`
	Cursor string `json:"cursor,omitempty"`
	// Limit is 1 to MaxPeople; 0 means MaxPeople.
	Limit int `json:"limit,omitempty"`
}

// PeoplePage is a page of people. It may be shorter than asked for, even empty, and have a
// Next: only a page without one is the last.
type PeoplePage struct {
	Profiles []Profile `json:"profiles"`
	Next     string    `json:"next,omitempty"`
}

// FollowRequest asks to follow, to follow no more, or whether one follows. Following
// whom one follows, and the like, is no error. Refusals: CodeInvalid (oneself),
// CodeNotFound (no such person), CodeFull (MaxFollows), CodeUnavailable.
type FollowRequest struct {
	// Follower is, for a change, the user who asks, as the edge verified.
	Follower string `json:"follower"`
	Followed string `json:"followed"`
}

// FollowAnswer says whether the one follows the other now.
type FollowAnswer struct {
	Follows bool `json:"follows"`
}

// Follow says that one user follows another.
type Follow struct {
	Follower string `json:"follower"`
	Followed string `json:"followed"`
	// At is since when, in Unix milliseconds.
	At int64 `json:"at"`
}

// FollowID is the id of a Follow in TableFollows.
func FollowID(follower, followed string) string { return follower + "." + followed }

// SplitFollowID gives whose document FollowID names, and its id among theirs; ok is false
// for what is no such id.
func SplitFollowID(id string) (follower, followed string, ok bool) {
	follower, followed, ok = strings.Cut(id, ".")
	return follower, followed, ok && CheckID(PrefixUser, follower) == nil && CheckID(PrefixUser, followed) == nil
}
