package telemetry

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func scrape(t *testing.T, r *Registry) string {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(r.reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	return w.Body.String()
}

func has(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if !strings.Contains("\n"+text, "\n"+l+"\n") {
			t.Errorf("there is no line %q", l)
		}
	}
}

func TestLabelsHaveOnlyTheValuesThatWereNamed(t *testing.T) {
	r := NewRegistry()
	verbs := Label{"verb", []string{"vote", "play"}}
	one := r.CounterOf("tutti_one_total", "One label.", verbs)
	two := r.HistogramOf("tutti_two", "Two labels.", []float64{1}, verbs, Label{"outcome", []string{"ok"}})
	one.Of("vote").Inc()
	two.Of("vote", "ok").Observe(0.5)
	for range 3 {
		one.Of("x' OR 1").Inc()
		two.Of("room_01", "user_01").Observe(2)
	}
	two.Of("vote").Observe(2) // a value too few
	text := scrape(t, r)
	has(t, text, `tutti_one_total{verb="vote"} 1`, `tutti_one_total{verb="play"} 0`, `tutti_one_total{verb="other"} 3`,
		`tutti_two_count{outcome="ok",verb="vote"} 1`, `tutti_two_count{outcome="other",verb="other"} 3`,
		`tutti_two_count{outcome="other",verb="vote"} 1`)
	if strings.Contains(text, "_01") || strings.Contains(text, "OR 1") {
		t.Error("somebody else's text is a label")
	}
}

func TestARegistryThatIsNotThereTakesEverything(t *testing.T) {
	var r *Registry
	r.Counter("a_total", "").Add(2)
	r.Gauge("b", "").Set(1)
	r.Histogram("c", "", Seconds()).Observe(1)
	r.GaugeOf("d", "", Label{"x", nil}).Of("y").Inc()
	r.Read(NewReads(nil), func(func(Reading, float64)) { t.Error("read") })()
}

func TestTheSameMetricTwiceIsOneAndAnotherOfItsNameIsADefect(t *testing.T) {
	r := NewRegistry()
	s := func(values ...string) Label { return Label{"service", values} }
	r.CounterOf("tutti_commits_total", "Commits.", s("room")).Of("room").Inc()
	r.CounterOf("tutti_commits_total", "Commits.", s("playlist")).Of("playlist").Inc()
	r.CounterOf("tutti_commits_total", "Commits.", s("room")).Of("room").Inc()
	has(t, scrape(t, r), `tutti_commits_total{service="room"} 2`, `tutti_commits_total{service="playlist"} 1`)
	defer func() {
		if recover() == nil {
			t.Error("two metrics have one name")
		}
	}()
	r.Gauge("tutti_commits_total", "Something else.")
}

func TestReadingsAreReadWhenSomebodyAsksAndUntilTheyAreForgotten(t *testing.T) {
	r := NewRegistry()
	set := NewReads(map[string]string{"service": "room"})
	n, absent := set.Counter("tutti_n_total", "N."), set.Gauge("tutti_absent", "Never set.")
	asked := 0
	forget := r.Read(set, func(set func(Reading, float64)) {
		asked++
		set(n, float64(asked))
	})
	_ = absent
	scrape(t, r)
	has(t, scrape(t, r), `tutti_n_total{service="room"} 2`)
	forget()
	if text := scrape(t, r); asked != 2 || strings.Contains(text, "tutti_n_total") || strings.Contains(text, "tutti_absent") {
		t.Errorf("asked %d times", asked)
	}
}

func TestARegistryIsAProcessesOwn(t *testing.T) {
	a, b := NewRegistry(), NewRegistry()
	a.Counter("tutti_x_total", "X.").Inc()
	b.Counter("tutti_x_total", "X.").Add(5)
	has(t, scrape(t, a), "tutti_x_total 1", "# TYPE go_goroutines gauge", "# TYPE process_start_time_seconds gauge")
	has(t, scrape(t, b), "tutti_x_total 5")
	if !strings.Contains(scrape(t, a), `tutti_build_info{go="go1.`) {
		t.Error("nothing is said of the build")
	}
}

func TestBoundsGrow(t *testing.T) {
	for _, bounds := range [][]float64{Seconds(), Sizes(1), Sizes(512), Sizes(1 << 20)} {
		for i := 1; i < len(bounds); i++ {
			if bounds[i] <= bounds[i-1] {
				t.Errorf("%v", bounds)
			}
		}
	}
	if s := Sizes(512); s[0] != 1 || s[len(s)-1] != 1024 {
		t.Errorf("%v", s)
	}
}

func BenchmarkCount(b *testing.B) {
	c := NewRegistry().CounterOf("tutti_x_total", "X.", Label{"type", []string{"evt", "snap"}})
	b.ReportAllocs()
	for b.Loop() {
		c.Of("evt").Inc()
	}
}
