package aggregate_test

import "github.com/tuttihq/tutti/services/internal/aggregate"

func traced(d *aggregate.Delivery, trace string) { d.Trace = trace }
