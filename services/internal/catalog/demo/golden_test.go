//go:build amd64 && !amd64.v3

package demo

import "maps"

// golden are hashes of the WAV files on amd64 without fused multiply-add, where the
// digits of floating point cannot differ.
var golden = map[string]string{
	"aurora":           "0823d60b91bfe5d3",
	"clockwork-garden": "2ac0926373418085",
	"copper-kettle":    "b44ad42f7967b506",
	"lantern-walk":     "860abafdffc3cb4f",
	"long-way-home":    "7daa5cddf2f8a0bf",
	"night-tram":       "f71f17294acc7811",
	"paper-boats":      "4a7b1ca748bb1c61",
	"signal-fires":     "99ed54970bf55dd4",
}

func checkGolden(got map[string]string) bool { return maps.Equal(got, golden) }
