package subjects

import "encoding/json"

// The decoders of commits and envelopes read the one layout that this package writes
// without reflection and without copying bodies; whatever looks different in any way goes
// to encoding/json, which decides. A test holds the two equal.

// scanner walks over one message. Once something does not fit, ok stays false.
type scanner struct {
	data []byte
	text string // the same bytes
	at   int
	ok   bool
}

func newScanner(data []byte) scanner {
	return scanner{data: data, text: string(data), ok: true}
}

// lit takes exactly s.
func (c *scanner) lit(s string) {
	if c.ok && len(c.text)-c.at >= len(s) && c.text[c.at:c.at+len(s)] == s {
		c.at += len(s)
		return
	}
	c.ok = false
}

// peek reports whether s comes next.
func (c *scanner) peek(s string) bool {
	return c.ok && len(c.text)-c.at >= len(s) && c.text[c.at:c.at+len(s)] == s
}

// number takes a whole number of at most 18 digits, which may be negative.
func (c *scanner) number() int64 {
	neg := c.peek("-")
	if neg {
		c.at++
	}
	start, n := c.at, int64(0)
	for c.at < len(c.text) && c.text[c.at] >= '0' && c.text[c.at] <= '9' {
		n = n*10 + int64(c.text[c.at]-'0')
		c.at++
	}
	digits := c.at - start
	if digits == 0 || digits > 18 || (digits > 1 && c.text[start] == '0') {
		c.ok = false
	}
	if neg {
		return -n
	}
	return n
}

// unsigned takes a whole number of at most 18 digits.
func (c *scanner) unsigned() uint64 {
	if c.peek("-") {
		c.ok = false
	}
	return uint64(c.number())
}

// token takes a string of plain ASCII without escapes, quotes included.
func (c *scanner) token() string {
	c.lit(`"`)
	start := c.at
	for c.ok && c.at < len(c.text) {
		b := c.text[c.at]
		if b == '"' {
			c.at++
			return c.text[start : c.at-1]
		}
		if b < 0x20 || b >= 0x7f || b == '\\' {
			break
		}
		c.at++
	}
	c.ok = false
	return ""
}

// value takes one JSON object as it is, whole and valid.
func (c *scanner) value() json.RawMessage {
	start := c.at
	if !c.peek("{") {
		c.ok = false
	}
	c.any(0)
	if !c.ok {
		return nil
	}
	return c.data[start:c.at:c.at]
}

// maxDepth is how deep values may nest; deeper ones are left to encoding/json.
const maxDepth = 64

// any takes one JSON value and judges it as strictly as encoding/json does.
func (c *scanner) any(depth int) {
	if !c.ok || c.at >= len(c.text) || depth > maxDepth {
		c.ok = false
		return
	}
	switch b := c.text[c.at]; {
	case b == '{':
		c.members(depth, '}', true)
	case b == '[':
		c.members(depth, ']', false)
	case b == '"':
		c.quoted()
	case b == 't':
		c.lit("true")
	case b == 'f':
		c.lit("false")
	case b == 'n':
		c.lit("null")
	default:
		c.numeral()
	}
}

// members takes an object or a list, without white space between its parts.
func (c *scanner) members(depth int, end byte, named bool) {
	c.at++
	for first := true; c.ok && c.at < len(c.text); first = false {
		if c.text[c.at] == end {
			if first || c.text[c.at-1] != ',' {
				c.at++
				return
			}
			break
		}
		if !first {
			c.lit(",")
		}
		if named {
			c.quoted()
			c.lit(":")
		}
		c.any(depth + 1)
	}
	c.ok = false
}

func (c *scanner) quoted() {
	c.lit(`"`)
	for c.ok && c.at < len(c.text) {
		switch b := c.text[c.at]; {
		case b == '"':
			c.at++
			return
		case b == '\\':
			c.escape()
		case b < 0x20:
			c.ok = false
		default:
			c.at++
		}
	}
	c.ok = false
}

func (c *scanner) escape() {
	if c.at+1 >= len(c.text) {
		c.ok = false
		return
	}
	switch c.text[c.at+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		c.at += 2
	case 'u':
		if c.at+6 > len(c.text) {
			c.ok = false
			return
		}
		for _, h := range []byte(c.text[c.at+2 : c.at+6]) {
			if (h < '0' || h > '9') && (h < 'a' || h > 'f') && (h < 'A' || h > 'F') {
				c.ok = false
			}
		}
		c.at += 6
	default:
		c.ok = false
	}
}

func (c *scanner) numeral() {
	if c.peek("-") {
		c.at++
	}
	if start := c.at; c.digits() > 1 && c.text[start] == '0' {
		c.ok = false
	}
	if c.peek(".") {
		c.at++
		c.digits()
	}
	if c.peek("e") || c.peek("E") {
		c.at++
		if c.peek("+") || c.peek("-") {
			c.at++
		}
		c.digits()
	}
}

// digits takes at least one digit.
func (c *scanner) digits() int {
	start := c.at
	for c.at < len(c.text) && c.text[c.at] >= '0' && c.text[c.at] <= '9' {
		c.at++
	}
	if c.at == start {
		c.ok = false
	}
	return c.at - start
}

func (c *scanner) event(e *Event) {
	c.lit(`"type":`)
	e.Type = c.token()
	c.lit(`,"by":`)
	e.By = c.token()
	c.lit(`,"at":`)
	e.At = c.number()
	c.lit(`,"cmd":`)
	e.Cmd = c.token()
	c.lit(`,"body":`)
	e.Body = c.value()
	c.lit(`}`)
}

func scanCommit(data []byte) (Commit, bool) {
	c := newScanner(data)
	var out Commit
	c.lit(`{"epoch":`)
	out.Epoch = c.unsigned()
	c.lit(`,"rev":`)
	out.Rev = c.unsigned()
	c.lit(`,"at":`)
	out.At = c.number()
	c.lit(`,"public":{"events":[`)
	out.Public.Events = make([]Event, 0, 1)
	for c.ok && !c.peek(`]`) {
		if len(out.Public.Events) > 0 {
			c.lit(`,`)
		}
		c.lit(`{`)
		var e Event
		c.event(&e)
		out.Public.Events = append(out.Public.Events, e)
	}
	c.lit(`],"patch":`)
	out.Public.Patch = c.value()
	c.lit(`}`)
	if c.peek(`,"sealed":[`) {
		c.lit(`,"sealed":[`)
		for c.ok && !c.peek(`]`) {
			if len(out.Sealed) > 0 {
				c.lit(`,`)
			}
			var s Sealed
			c.lit(`{"to":[`)
			s.To = []string{}
			for c.ok && !c.peek(`]`) {
				if len(s.To) > 0 {
					c.lit(`,`)
				}
				s.To = append(s.To, c.token())
			}
			c.lit(`],`)
			c.event(&s.Event)
			out.Sealed = append(out.Sealed, s)
		}
		c.lit(`]`)
	}
	if c.peek(`,"order":`) {
		c.lit(`,"order":`)
		out.Order = c.token()
	}
	c.lit(`}`)
	if !c.ok || c.at != len(data) {
		return Commit{}, false
	}
	return out, true
}

func scanEnvelope(data []byte) (Envelope, bool) {
	c := newScanner(data)
	var out Envelope
	c.lit(`{"id":`)
	out.ID = c.token()
	if c.peek(`,"body":`) {
		c.lit(`,"body":`)
		out.Body = c.value()
	}
	c.lit(`}`)
	if !c.ok || c.at != len(data) {
		return Envelope{}, false
	}
	return out, true
}

// PublicPart gives the public part of an encoded commit: a slice of data, to be handed on
// as it is. It returns ErrBadCommit if data is not a commit in the layout that
// AppendCommit writes.
func PublicPart(data []byte) ([]byte, error) {
	c := newScanner(data)
	c.lit(`{"epoch":`)
	c.unsigned()
	c.lit(`,"rev":`)
	c.unsigned()
	c.lit(`,"at":`)
	c.number()
	c.lit(`,"public":`)
	v := c.value()
	if !c.ok {
		return nil, ErrBadCommit
	}
	return v, nil
}
