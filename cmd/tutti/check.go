package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tuttihq/tutti/services"
)

func checkCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: "Validate the settings, connect, and report",
		Long: `Validate the settings, connect to what they name, and report each part on a line. The exit
status is 1 if anything is wrong. Nothing is changed, and nothing is started that stays.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := loadConfig(c, os.Environ)
			if err != nil {
				return err
			}
			out := c.OutOrStdout()
			if show, err := c.Flags().GetBool("print"); err == nil && show {
				text, err := cfg.YAML()
				if err != nil {
					return err
				}
				_, err = out.Write(text)
				return err
			}
			asJSON, err := c.Flags().GetBool("json")
			if err != nil {
				return err
			}
			findings := services.Check(c.Context(), cfg)
			bad := false
			for _, f := range findings {
				bad = bad || !f.OK
			}
			if asJSON {
				enc := json.NewEncoder(out)
				enc.SetIndent("", "  ")
				if err := enc.Encode(findings); err != nil {
					return err
				}
			} else {
				for _, f := range findings {
					mark := "ok  "
					if !f.OK {
						mark = "BAD "
					}
					if _, err := fmt.Fprintf(out, "%s %-9s %s\n", mark, f.Part, f.Detail); err != nil {
						return err
					}
				}
			}
			if bad {
				return errSaid
			}
			return nil
		},
	}
	configFlags(c)
	c.Flags().StringSlice("roles", nil, "the `ROLES` to check for, comma separated: "+strings.Join(services.Roles(), ", "))
	c.Flags().Bool("print", false, "print all settings as YAML, secrets hidden, and check nothing")
	c.Flags().Bool("json", false, "report as JSON")
	return c
}
