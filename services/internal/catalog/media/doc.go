// Package media reads from a music or video file what a player shows before it plays:
// title, artist and length.
//
// It reads headers only, through an io.ReaderAt, so that a file at the far end of a
// network is asked for a few small ranges instead of being fetched. The kind of file is
// told by its first bytes, never by its name or by what a server claims:
//
//	MP3            frame headers, and the Xing, Info or VBRI header of files with a
//	               variable bit rate; without one the rate is estimated
//	WAV            the format and data chunks; RF64 for big ones
//	FLAC           the stream information
//	Ogg            Vorbis, Opus and FLAC: the position of the last page
//	MP4, M4A       the movie header; fragmented files too if they state their length
//	WebM, Matroska the segment information
//
// Lengths are one number at a known place in each of these, so they are read here.
// The tags of MP3 and MP4 come in many dialects and character sets; for them there is
// github.com/dhowden/tag. A file's tags are a courtesy: when they are missing or broken
// the file still has its length.
//
// Every reader is bounded by the file's size and by a fixed number of steps, and what a
// file says of its own sizes is never allocated before it was read.
package media
