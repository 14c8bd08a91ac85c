package edge

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"github.com/tuttihq/tutti/subjects"
)

// maxDepth bounds how deeply a request's JSON may nest: far more than any body needs.
const maxDepth = 16

// body decodes the request's JSON object into v. What would be read otherwise than it
// was meant is refused: another media type, an encoding, text that is not UTF-8, unknown
// and repeated fields, anything after the object. Errors are refusals.
func (r *request) body(v any) error {
	if err := checkMediaType(r.Get(fiber.HeaderContentType)); err != nil {
		return err
	}
	if enc := r.Get(fiber.HeaderContentEncoding); enc != "" && !strings.EqualFold(enc, "identity") {
		return withStatus(http.StatusUnsupportedMediaType, subjects.Refuse(subjects.CodeInvalid, "send the body without Content-Encoding"))
	}
	raw := r.Context().Request.Body()
	if err := checkJSON(raw); err != nil {
		return err
	}
	return decode(raw, v)
}

// noBody refuses a body where none is looked at, so that what somebody hoped to say there
// is not lost in silence. An empty object says nothing and is let through.
func (r *request) noBody() error {
	switch string(bytes.TrimSpace(r.Context().Request.Body())) {
	case "", "{}":
		return nil
	}
	return subjects.Refuse(subjects.CodeInvalid, "this request takes no body")
}

func checkMediaType(header string) error {
	mt, params, err := mime.ParseMediaType(header)
	charset := params["charset"]
	if err != nil || mt != fiber.MIMEApplicationJSON || (charset != "" && !strings.EqualFold(charset, "utf-8")) {
		return withStatus(http.StatusUnsupportedMediaType, subjects.Refuse(subjects.CodeInvalid, "send the body as Content-Type: application/json in UTF-8"))
	}
	return nil
}

// checkJSON refuses what is not one JSON object in UTF-8, nests deeper than maxDepth or
// says one key twice. Keys that differ in case only count as the same, because the
// decoder takes both for one field.
func checkJSON(raw []byte) error {
	if len(bytes.TrimSpace(raw)) == 0 {
		return subjects.Refuse(subjects.CodeInvalid, "the request needs a JSON object as its body")
	}
	if !utf8.Valid(raw) {
		return subjects.Refuse(subjects.CodeInvalid, "the body is not valid UTF-8")
	}
	type level struct {
		keys  map[string]struct{} // nil in a list
		value bool                // in an object: the next token is a value
	}
	var levels []level
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	for first := true; ; first = false {
		t, err := d.Token()
		if errors.Is(err, io.EOF) && !first && len(levels) == 0 {
			return nil
		}
		if err != nil {
			return subjects.Refuse(subjects.CodeInvalid, "the body is not valid JSON (byte %d)", d.InputOffset())
		}
		delim, _ := t.(json.Delim)
		if len(levels) == 0 && (delim != '{' || !first) {
			return subjects.Refuse(subjects.CodeInvalid, "the body is one JSON object and nothing else")
		}
		if top := len(levels) - 1; top >= 0 && delim != '}' && delim != ']' && levels[top].keys != nil {
			if levels[top].value {
				levels[top].value = false
			} else {
				key, _ := t.(string)
				folded := strings.ToLower(key)
				if _, twice := levels[top].keys[folded]; twice {
					return subjects.RefuseField(clip(key), "this field is there twice")
				}
				levels[top].keys[folded] = struct{}{}
				levels[top].value = true
				continue
			}
		}
		switch delim {
		case '{', '[':
			if len(levels) >= maxDepth {
				return subjects.Refuse(subjects.CodeInvalid, "the body nests deeper than %d levels", maxDepth)
			}
			var l level
			if delim == '{' {
				l.keys = map[string]struct{}{}
			}
			levels = append(levels, l)
		case '}', ']':
			levels = levels[:len(levels)-1]
		}
	}
}

// decode reads one JSON object; errors are refusals that name the field where the decoder
// knows it.
func decode(raw []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if len(bytes.TrimSpace(raw[d.InputOffset():])) > 0 {
			return subjects.Refuse(subjects.CodeInvalid, "the body is one JSON object and nothing else")
		}
		return nil
	}
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return subjects.RefuseField(jsonPath(wrongType.Field), "a %s does not belong here", wrongType.Value)
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return subjects.RefuseField(clip(strings.Trim(field, `"`)), "there is no such field")
	}
	var refusal *subjects.Refusal
	if errors.As(err, &refusal) {
		return refusal
	}
	return subjects.Refuse(subjects.CodeInvalid, "%s", clip(strings.TrimPrefix(err.Error(), "json: ")))
}

// jsonPath takes the names of embedded Go types out of a decoder's path: fields of the API
// begin with a small letter.
func jsonPath(p string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(p, "."), func(part string) bool {
		return part != "" && unicode.IsUpper(rune(part[0]))
	}), ".")
}

// clip cuts what is quoted back to whoever sent it.
func clip(s string) string {
	const most = 100
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
