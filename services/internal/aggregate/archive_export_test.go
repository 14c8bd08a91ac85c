package aggregate

// At has Archive call f after each step on an aggregate: copied, verified, purged.
func (o ArchiveOptions) At(f func(step, id string) error) ArchiveOptions {
	o.at = f
	return o
}

// Packs makes the packs of the archive so large.
func (o ArchiveOptions) Packs(bytes int) ArchiveOptions {
	o.packBytes = bytes
	return o
}

// PackedEntry is an entry of a pack.
type PackedEntry = archivedEntry

// Pack and Unpack are how the archive writes entries.
func Pack(entries []PackedEntry) (pack []byte) {
	for _, e := range entries {
		pack = appendPacked(pack, e)
	}
	return pack
}

func Unpack(pack []byte) ([]PackedEntry, error) { return decodePack(pack) }
