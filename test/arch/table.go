package arch

// Table is the shape of this repository. docs/adr says why it has this shape.
func Table() Rules {
	return Rules{
		Layers: []Layer{
			{
				Name:   "contract",
				Of:     "subjects/...",
				Reason: "subjects is what everybody agrees on: it depends on nobody",
			},
			{
				Name:   "client",
				Of:     "sdk/...",
				Allow:  []string{"subjects"},
				Reason: "a client knows the contract and no server",
			},
			{
				Name:   "kernel",
				Of:     "services/internal/*/...",
				Allow:  []string{"subjects", "services/internal/..."},
				Reason: "the kernel and its neighbours serve every service, so they know none",
			},
			{
				Name:   "services",
				Of:     "services/*/...",
				Except: []string{"services/internal/..."},
				Allow:  []string{"subjects", "services/internal/..."},
				Reason: "services talk over subjects and nothing else: not by import, neither to a sibling nor to the edge",
			},
			{
				Name:   "assembly",
				Of:     "services",
				Allow:  []string{"subjects", "services/...", "web"},
				Free:   true,
				Reason: "package services puts the services together; it knows no program and no client",
			},
			{
				Name:   "web app",
				Of:     "web",
				Reason: "package web is files for browsers; who serves them is handed them",
			},
			{
				Name:   "programs",
				Of:     "cmd/*/...",
				Allow:  []string{"subjects"},
				Behind: []string{"services", "services/cluster"},
				Free:   true,
				Reason: "a program parses its flags and calls services.Run; what a service does inside is not its business",
			},
			{
				Name:   "trials",
				Of:     "test/*/...",
				Allow:  []string{"subjects", "sdk", "services/...", "web", "test/..."},
				Reason: "tests of the whole start it as a program would",
			},
		},
		Homes: []Home{
			{
				Name:   "NATS",
				Vendor: []string{"github.com/nats-io/..."},
				Homes:  []string{"services/internal/bus", "services/internal/aggregate"},
				Guests: []string{"test/..."},
				Reason: "who may publish what is decided in one place; use what services/internal/bus offers",
			},
			{
				Name:   "Fiber",
				Vendor: []string{"github.com/gofiber/...", "github.com/valyala/fasthttp/..."},
				Homes:  []string{"services/edge"},
				Reason: "only the edge knows that HTTP exists",
			},
			{
				Name:   "SQLite",
				Vendor: []string{"modernc.org/sqlite/...", "database/sql"},
				Homes:  []string{"services/internal/store/sqlite"},
				Reason: "documents are reached through the store's interface, so that another store can take its place",
			},
			{
				Name:   "RethinkDB",
				Vendor: []string{"gopkg.in/rethinkdb/..."},
				Homes:  []string{"services/internal/store/rethink", "services/internal/store/rethink/rethinktest"},
				Reason: "documents are reached through the store's interface, so that another store can take its place",
			},
			{
				Name:   "watermill",
				Vendor: []string{"github.com/ThreeDotsLabs/watermill/..."},
				Homes:  []string{"services/internal/projection"},
				Reason: "the router costs 10 µs a message: right for projections, wrong for commands, which are the kernel's",
			},
			{
				Name:   "client's socket",
				Vendor: []string{"github.com/coder/websocket/..."},
				Homes:  []string{"sdk"},
				Guests: []string{"test/..."},
				Reason: "a client is dialled through sdk; the server's sockets are Fiber's",
			},
			{
				Name:   "Prometheus",
				Vendor: []string{"github.com/prometheus/..."},
				Homes:  []string{"services/internal/telemetry"},
				Reason: "what is counted has closed label sets and a registry of its own: use what services/internal/telemetry offers",
			},
			{
				Name:   "OpenTelemetry",
				Vendor: []string{"go.opentelemetry.io/..."},
				Homes:  []string{"services/internal/telemetry"},
				Reason: "tracing that is off must cost nothing: use what services/internal/telemetry offers",
			},
			{
				Name:   "command line",
				Vendor: []string{"github.com/spf13/cobra/...", "github.com/spf13/pflag/..."},
				Homes:  []string{"cmd/tutti"},
				Reason: "only a program has flags; what tests start is services.Start with a Config",
			},
		},
		Bans: []Ban{
			{
				Name:   "contract alone",
				Of:     "subjects/...",
				Never:  []string{ThirdParty},
				Reason: "a client imports subjects and gets the standard library, nothing to audit and nothing to update",
			},
			{
				Name: "no harness aboard",
				Of:   "cmd/...",
				Never: []string{
					Module + "/services/internal/aggregate/aggregatetest/...",
					Module + "/services/internal/store/storetest/...",
					Module + "/services/internal/store/rethink/rethinktest/...",
					Module + "/services/internal/telemetry/telemetrytest/...",
					"go.uber.org/goleak/...",
					"pgregory.net/rapid/...",
				},
				Reason: "what is only there for tests is not shipped",
			},
		},
	}
}
