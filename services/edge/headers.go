package edge

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
)

const (
	// headerServerTime tells the log's clock in Unix milliseconds, also where there is no
	// body to tell it (304).
	headerServerTime = "Tutti-Server-Time"
	// headerPosition tells the position in the current track, in milliseconds, at that
	// time.
	headerPosition = "Tutti-Position-Ms"
	headerKey      = "Idempotency-Key"

	allowedHeaders = "Authorization, Content-Type, If-None-Match, Range, Idempotency-Key, X-Request-Id"
	allowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	exposedHeaders = "ETag, Location, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id, Content-Range, Accept-Ranges, " +
		headerServerTime + ", " + headerPosition
)

// guard sets the headers that every answer has. An answer of the API is data: a browser
// that is made to show one as a page runs nothing of it.
func guard(c *fiber.Ctx, secure bool) {
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderXFrameOptions, "DENY")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	c.Set("Cross-Origin-Resource-Policy", "same-origin")
	c.Set(fiber.HeaderCacheControl, "no-store")
	if secure {
		c.Set(fiber.HeaderStrictTransportSecurity, "max-age=31536000; includeSubDomains")
	}
}

// crossOrigin lets pages of the allowed origins read the answer. It reports whether the
// request was only the browser's question whether it may ask (a preflight), which is
// answered then. Credentials are never allowed: tokens travel in a header that a page
// must set itself, so a forged request carries none.
func (s *Server) crossOrigin(c *fiber.Ctx) (answered bool) {
	c.Vary(fiber.HeaderOrigin)
	from := c.Get(fiber.HeaderOrigin)
	preflight := c.Method() == http.MethodOptions && from != "" && c.Get(fiber.HeaderAccessControlRequestMethod) != ""
	switch {
	case from == "":
	case slices.Contains(s.cfg.AllowedOrigins, "*"):
		c.Set(fiber.HeaderAccessControlAllowOrigin, "*")
	case slices.Contains(s.cfg.AllowedOrigins, strings.ToLower(from)):
		c.Set(fiber.HeaderAccessControlAllowOrigin, from)
	default:
		from = ""
	}
	if from != "" {
		c.Set("Cross-Origin-Resource-Policy", "cross-origin")
		c.Set(fiber.HeaderAccessControlExposeHeaders, exposedHeaders)
	}
	if !preflight {
		return false
	}
	if from != "" {
		c.Set(fiber.HeaderAccessControlAllowMethods, allowedMethods)
		c.Set(fiber.HeaderAccessControlAllowHeaders, allowedHeaders)
		c.Set(fiber.HeaderAccessControlMaxAge, "600")
	}
	c.Vary(fiber.HeaderAccessControlRequestMethod, fiber.HeaderAccessControlRequestHeaders)
	c.Status(http.StatusNoContent)
	return true
}
