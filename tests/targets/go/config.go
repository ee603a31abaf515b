// Settings: the command line of `soak target`, Longbow's environment variables, and misbehaviours.

package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config is all that the store is told at its start. GOGC and GOMEMLIMIT are not in it: the runtime reads them itself.
type Config struct {
	DataAddr, MetaAddr, HTTPAddr *net.TCPAddr
	UntilStdinCloses             bool
	HNSWM, EfConstruction        int
	// CompactionInterval is 0 when the store never compacts by itself.
	CompactionInterval time.Duration
	// KeepGOGC, where set, is put in place of what the environment asked for: a tuner that makes GOGC a silent no-op.
	KeepGOGC *int
	// DataPath is where logs are kept, so that what is acknowledged outlives the process; empty keeps everything in memory alone.
	DataPath  string
	Misbehave Misbehave
}

// Misbehave is the faults that the store is asked to have.
type Misbehave struct {
	HeapLeak, OffheapLeak, SlowRelease ByteRate
	TaskLeakPerSecond                  float64
	// LeakedGoroutinesPerSecond wait for ever on a channel that nothing else holds.
	LeakedGoroutinesPerSecond float64
	SeriesLeakPerSecond       float64
	ConnectionLeak            float64
	// HeldLock is the operation that waits for a lock that never opens: "", "put", "search", "delete" or "metrics".
	HeldLock string
	// Compaction is "", "fails", "noop" or "weak".
	Compaction                  string
	RetainBatches               float64
	Fragment                    bool
	MappedFile, CacheFill, Step int64
}

// A settingError names a setting that cannot be used, and what would have been valid.
type settingError struct{ name, value, expected string }

func (e settingError) Error() string { return fmt.Sprintf("%s=%s: %s", e.name, e.value, e.expected) }

type words []string

func (w *words) String() string         { return strings.Join(*w, " ") }
func (w *words) Set(value string) error { *w = append(*w, value); return nil }

// parseConfig reads the command line, without the program's name, and the environment.
func parseConfig(args []string, env func(string) string) (Config, error) {
	if len(args) > 0 && args[0] == "target" {
		args = args[1:]
	}
	var config Config
	flags := flag.NewFlagSet("soak-target-go", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	addrs := []struct {
		option, variable, fallback string
		addr                       **net.TCPAddr
		value                      *string
	}{
		{"data-addr", "LONGBOW_LISTEN_ADDR", "127.0.0.1:3000", &config.DataAddr, nil},
		{"meta-addr", "LONGBOW_META_ADDR", "127.0.0.1:3001", &config.MetaAddr, nil},
		{"http-addr", "LONGBOW_METRICS_ADDR", "127.0.0.1:9090", &config.HTTPAddr, nil},
	}
	for i, addr := range addrs {
		addrs[i].value = flags.String(addr.option, or(env(addr.variable), addr.fallback), "`address`, or "+addr.variable)
	}
	var misbehave words
	flags.Var(&misbehave, "misbehave", "a fault to have, as `KEY=VALUE`; may be repeated")
	flags.StringVar(&config.DataPath, "data-path", env("LONGBOW_DATA_PATH"), "keep logs in this `folder`, or LONGBOW_DATA_PATH")
	flags.BoolVar(&config.UntilStdinCloses, "until-stdin-closes", false, "end when standard input ends")
	if err := flags.Parse(args); err != nil {
		return config, err
	}
	if flags.NArg() > 0 {
		return config, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	for _, addr := range addrs {
		parsed, err := net.ResolveTCPAddr("tcp", *addr.value)
		if err != nil {
			return config, settingError{"--" + addr.option, *addr.value, "expected an address, such as 127.0.0.1:3000"}
		}
		*addr.addr = parsed
	}
	if err := config.readEnv(env); err != nil {
		return config, err
	}
	for _, pair := range misbehave {
		if err := config.Misbehave.set(pair); err != nil {
			return config, err
		}
	}
	return config, nil
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}

func (c *Config) readEnv(env func(string) string) error {
	whole := func(name, fallback string, least, most int) (int, error) {
		value := or(env(name), fallback)
		number, err := strconv.Atoi(value)
		if err != nil || number < least || number > most {
			return 0, settingError{name, value, fmt.Sprintf("expected %d to %d", least, most)}
		}
		return number, nil
	}
	// The runtime takes a GOGC that it does not understand for 100, silently.
	const percentMax = 1<<31 - 1
	if gogc := env("GOGC"); gogc != "off" {
		if _, err := whole("GOGC", "100", 0, percentMax); err != nil {
			return settingError{"GOGC", gogc, `expected a percentage as a whole number, or "off", such as 75`}
		}
	}
	if env("SOAK_TARGET_KEEP_GOGC") != "" {
		percent, err := whole("SOAK_TARGET_KEEP_GOGC", "", 0, percentMax)
		if err != nil {
			return err
		}
		c.KeepGOGC = &percent
	}
	var err error
	if c.HNSWM, err = whole("LONGBOW_HNSW_M", "32", 2, 255); err != nil {
		return err
	}
	if c.EfConstruction, err = whole("LONGBOW_HNSW_EF_CONSTRUCTION", "400", 1, 100_000); err != nil {
		return err
	}
	const interval = "LONGBOW_COMPACTION_INTERVAL"
	if c.CompactionInterval, err = parseInterval(or(env(interval), "off")); err != nil {
		return settingError{interval, env(interval), err.Error()}
	}
	return nil
}

// set takes one KEY=VALUE pair; a key alone is `true`.
func (m *Misbehave) set(pair string) error {
	key, value, found := strings.Cut(pair, "=")
	if !found {
		value = "true"
	}
	var err error
	switch key {
	case "heap_leak":
		m.HeapLeak, err = parseByteRate(value)
	case "offheap_leak":
		m.OffheapLeak, err = parseByteRate(value)
	case "slow_release":
		m.SlowRelease, err = parseByteRate(value)
	case "task_leak":
		m.TaskLeakPerSecond, err = parseRate(value)
	case "leaked_goroutines":
		m.LeakedGoroutinesPerSecond, err = parseRate(value)
	case "series_leak":
		m.SeriesLeakPerSecond, err = parseRate(value)
	case "connection_leak":
		m.ConnectionLeak, err = parseShare(value)
	case "held_lock":
		switch value {
		case "put", "search", "delete", "metrics":
			m.HeldLock = value
		default:
			err = fmt.Errorf("expected put, search, delete or metrics")
		}
	case "retain_batches":
		m.RetainBatches, err = parseShare(value)
	case "mapped_file":
		m.MappedFile, err = parseBytes(value)
	case "cache_fill":
		m.CacheFill, err = parseBytes(value)
	case "step":
		m.Step, err = parseBytes(value)
	case "fragment":
		if m.Fragment = value == "true"; !m.Fragment && value != "false" {
			err = fmt.Errorf("expected true or false")
		}
	case "compaction":
		if m.Compaction = value; !slices.Contains([]string{"fails", "noop", "weak"}, value) {
			err = fmt.Errorf("expected fails, noop or weak")
		}
	default:
		err = fmt.Errorf("expected one of heap_leak, task_leak, leaked_goroutines, compaction, retain_batches, fragment, mapped_file, " +
			"slow_release, offheap_leak, cache_fill, step, series_leak, connection_leak, held_lock")
	}
	if err != nil {
		return settingError{"--misbehave " + key, value, err.Error()}
	}
	return nil
}

// tune does what a tuner inside the store would do to the runtime.
func (c Config) tune() {
	if c.KeepGOGC != nil {
		debug.SetGCPercent(*c.KeepGOGC)
	}
}
