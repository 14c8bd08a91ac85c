// Package catalog is where tracks come from. It turns what a person typed — an id, an
// address, a link — into a subjects.Track that a room can keep for ever.
//
// A Catalog holds an ordered list of sources. The first source whose Match recognises
// the text resolves it:
//
//	demo   "demo:aurora"                     short pieces made by package demo; always
//	                                         there, also without a network
//	yt     "yt:dQw4w9WgXcQ", a bare id or    YouTube, through its Data API; needs a key
//	       any usual form of its links
//	url    "https://host/song.mp3"           a media file anywhere; title and duration
//	                                         are read from the file's own tags and
//	                                         headers by package media
//
// # Ids
//
// A track id is at most subjects.MaxTrackID bytes of [A-Za-z0-9:_-], so it may be a key
// in JSON, a part of a subject and a part of an address. The id of an address is a hash
// of it ("url:" and 32 characters): the address cannot be had back from the id, which
// is why Resolve takes what the person typed and the track carries both. An id of that
// kind still resolves as long as its track is in the cache; after that the answer is
// ErrUnknown and the caller must give the address.
//
// # Failure
//
// Every error wraps exactly one of the sentinels in errors.go. ErrUnavailable is the
// only one worth a retry. All others are final answers about that text, with a sentence
// that may be shown to the person; they never name an internal address.
//
// # What is bounded
//
// The number of tracks and refusals remembered (least recently used goes first), how
// long they are, the number of resolutions under way (the next one waits for a place
// until its time is up, then ErrUnavailable), how many of those may be on one host or for
// one list of tracks (see places.go and ResolveAll), the time of each one, the bytes read
// of each file, and the number of redirects.
//
// # Files on other people's servers
//
// The server fetches what a stranger typed, so it must not become a way into the
// network it stands in. Addresses are checked when the connection is made, on the
// resolved IP address, for every redirect anew (see guard.go): a name that first
// resolves to a public address and then to a private one gets nowhere. A name that is
// not permitted and one that does not exist are answered alike, so that nobody can ask
// the server which names its network knows.
package catalog
