package subjects

// Track is a piece of music or a video as a room or playlist holds it: what was
// resolved once from its source and travels with the log from then on, so that a
// refold never asks a source again.
type Track struct {
	// ID names the track across rooms: "<provider>:<key>", at most MaxTrackID bytes
	// of [A-Za-z0-9:_-], for example "demo:aurora" or "yt:dQw4w9WgXcQ".
	ID string `json:"id"`
	// Provider is the source's short name: "demo", "url" or "yt".
	Provider string `json:"provider"`
	// Title as the source states it; never empty.
	Title string `json:"title"`
	// Artist as the source states it; empty when unknown.
	Artist string `json:"artist"`
	// DurationMs is the length of the whole track in milliseconds, above zero.
	DurationMs int64 `json:"durationMs"`
	// URL is where a client plays it: absolute, or a path on the edge.
	URL string `json:"url"`
	// ArtworkURL is a picture of it; empty when there is none.
	ArtworkURL string `json:"artworkUrl"`
}

// providerURL is the provider of tracks that were given by the address of a media file.
// Their id is made from the address and does not lead back to it.
const providerURL = "url"

// Ref names the track to a catalogue that may never have seen it: by its address where
// the id does not lead to the source, by its id otherwise.
func (t Track) Ref() TrackRef {
	if t.Provider == providerURL && t.URL != "" {
		return TrackRef(t.URL)
	}
	return TrackRef(t.ID)
}
