package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	neturl "net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tuttihq/tutti/services"
)

// answerBytes bounds how much of a health answer is read and shown.
const answerBytes = 4 << 10

func healthCommand() *cobra.Command {
	var url string
	var within time.Duration
	c := &cobra.Command{
		Use:   "health",
		Short: "Ask a running process whether it is ready",
		Long: `Ask a running process whether it is ready, and exit with 0 if it is and with 1 if it is not or
does not answer. For container health checks, where there is no shell and no curl.

Without --url the process is the one that these settings would start on this machine: it is asked
at /readyz, on metrics.listen if that is set and else on the address of the edge.`,
		Example: "  tutti health\n  tutti health --url http://127.0.0.1:8080/healthz",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if url != "" {
				var err error
				if url, err = whole(url); err != nil {
					return err
				}
			} else {
				cfg, err := loadConfig(c, os.Environ)
				if err != nil {
					return err
				}
				if url, err = healthURL(cfg); err != nil {
					return err
				}
			}
			ctx, cancel := context.WithTimeout(c.Context(), within)
			defer cancel()
			answer, err := askHealth(ctx, url)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), answer)
			return err
		},
	}
	c.Flags().StringVar(&url, "url", "", "ask this `URL`, of /readyz or /healthz; of HOST:PORT alone it is http://HOST:PORT/readyz")
	c.Flags().DurationVar(&within, "within", 5*time.Second, "wait so long for the answer")
	return c
}

// whole completes what was typed as a URL. The edge answers "/" with its page, ready or not.
func whole(typed string) (string, error) {
	if !strings.Contains(typed, "://") {
		typed = "http://" + typed
	}
	u, err := neturl.Parse(typed)
	if err != nil {
		return "", fmt.Errorf("--url: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("--url: %q is not http://HOST:PORT/readyz", typed)
	}
	if u.Path == "" {
		u.Path = "/readyz"
	}
	return u.String(), nil
}

// healthURL says where a process with these settings tells whether it is ready.
func healthURL(cfg services.Config) (string, error) {
	address := cfg.Metrics.Listen
	if address == "" {
		address = cfg.Edge.Listen
		if cfg.Edge.CertFile != "" {
			return "", errors.New("the edge speaks TLS under a name of its own: give --url, or set metrics.listen")
		}
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("%q is not HOST:PORT: %w", address, err)
	}
	if port == "0" {
		return "", fmt.Errorf("%s leaves the port open: give --url", address)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // it listens everywhere, so here as well
	}
	return "http://" + net.JoinHostPort(host, port) + "/readyz", nil
}

// askHealth gives what was answered with 200; anything else is an error.
func askHealth(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	transport := &http.Transport{DisableKeepAlives: true} // nor a proxy: this is about a neighbour
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerBytes))
	if err != nil {
		return "", fmt.Errorf("%s: %w", url, err)
	}
	answer := strings.TrimSpace(string(body))
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %s: %s", url, resp.Status, answer)
	}
	return answer, nil
}
