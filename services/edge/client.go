package edge

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// maxForwarded bounds how many proxies of an X-Forwarded-For header are looked at; the
// address at the bound counts as the client's.
const maxForwarded = 16

// origin says where a request came from, and whether it came over TLS. A proxy's word is
// taken only if its address is trusted: the list of X-Forwarded-For is read from its end,
// which the nearest proxy wrote, up to the first address that is not trusted.
func origin(ctx *fasthttp.RequestCtx, trusted []netip.Prefix) (from netip.Addr, secure bool) {
	from = remote(ctx.RemoteAddr())
	secure = ctx.IsTLS()
	if !contains(trusted, from) {
		return from, secure
	}
	if proto := ctx.Request.Header.Peek(fiber.HeaderXForwardedProto); len(proto) > 0 {
		secure = string(proto) == "https"
	}
	var hops []string
	for _, h := range ctx.Request.Header.PeekAll(fiber.HeaderXForwardedFor) {
		hops = append(hops, strings.Split(string(h), ",")...)
	}
	for i, hop := range slices.Backward(hops) {
		a, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break // whoever wrote that is not to be believed further
		}
		from = a.Unmap().WithZone("")
		if !contains(trusted, from) || len(hops)-i >= maxForwarded {
			break
		}
	}
	return from, secure
}

func remote(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}

func contains(networks []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(a) })
}
