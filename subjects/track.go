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
