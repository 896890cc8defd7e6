// Command telemetry shows what a gateway tells OpenTelemetry: it draws a number, and prints the traces and metrics of it.
//
// A real program exports to a collector instead: it puts another exporter in the place of those that print.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	gateway "github.com/metagov/gateway-go"
	"github.com/metagov/gateway-go/plugins/randomness"
	"github.com/metagov/gateway-go/store/memory"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	spans, err := stdouttrace.New(stdouttrace.WithWriter(out))
	if err != nil {
		return fmt.Errorf("making the exporter of traces: %w", err)
	}
	numbers, err := stdoutmetric.New(stdoutmetric.WithWriter(out))
	if err != nil {
		return fmt.Errorf("making the exporter of metrics: %w", err)
	}
	// The gateway makes a trace's ID from what the work follows from, so a sampler looks at that ID: sdktrace.TraceIDRatioBased(0.1) keeps
	// a tenth of all.
	tracer := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithSampler(sdktrace.AlwaysSample()))
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(numbers, sdkmetric.WithInterval(time.Minute))))
	defer func() { // what was gathered is sent before the program ends
		err = errors.Join(err, tracer.Shutdown(context.WithoutCancel(ctx)), meter.Shutdown(context.WithoutCancel(ctx)))
	}()

	g, err := gateway.New(gateway.Options{Store: memory.New(), Plugins: []gateway.Plugin{randomness.New()}, Tracer: tracer, Meter: meter})
	if err != nil {
		return err
	}
	town, err := g.CreateCommunity(ctx, "town", "Our town")
	if err != nil {
		return err
	}
	dice, err := town.Enable(ctx, "randomness", randomness.Config{DefaultLow: 1, DefaultHigh: 7})
	if err != nil {
		return err
	}
	_, err = gateway.Do[randomness.Draw](ctx, dice, "random-int", nil)
	return err
}
