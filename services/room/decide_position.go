package room

import (
	"math"

	"github.com/tuttihq/tutti/subjects"
)

// position records whether the sender is where the room takes votes; in a room without a
// place it is nothing. The same answer is recorded again only after PositionRefresh, so
// a position may lapse that much before its day is over.
func (d *decision) position(body *subjects.ReportPosition) error {
	if err := d.enter(subjects.VerbPosition); err != nil {
		return err
	}
	c := d.s.Room.Constraints
	if c == nil || c.Place == nil {
		return nil
	}
	who := d.call.Principal
	fits := within(*c.Place, *body.Lat, *body.Lng)
	if was, known := d.s.Fit(who, d.call.At); known && was == fits &&
		d.call.At-d.s.FitAt(who) < subjects.PositionRefresh.Milliseconds() {
		return nil
	}
	d.seal(who, &subjects.PositionJudged{User: who, Fits: fits})
	return nil
}

// earthM is the mean radius of the Earth in metres.
const earthM = 6_371_008.8

// within reports whether a point lies in the place, by the great-circle distance on a
// sphere: exact to half a percent of the distance.
func within(p subjects.Place, lat, lng float64) bool {
	const rad = math.Pi / 180
	sinLat := math.Sin((lat - p.Lat) * rad / 2)
	sinLng := math.Sin((lng - p.Lng) * rad / 2)
	h := sinLat*sinLat + math.Cos(p.Lat*rad)*math.Cos(lat*rad)*sinLng*sinLng
	return 2*earthM*math.Asin(math.Sqrt(min(1, h))) <= p.RadiusM
}
