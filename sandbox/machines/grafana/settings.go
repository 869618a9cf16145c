package main

import (
	"fmt"
	"os"
	"sort"
	"strings"
)

// known are the settings that are read, with their defaults; Grafana passes over one that it does not know, this refuses it.
var known = map[string]string{
	"GF_SERVER_PROTOCOL":                       "http",
	"GF_SERVER_HTTP_PORT":                      "3000",
	"GF_SERVER_ROOT_URL":                       "",
	"GF_SERVER_CERT_FILE":                      "",
	"GF_SERVER_CERT_KEY":                       "",
	"GF_SECURITY_ADMIN_USER":                   "admin",
	"GF_SECURITY_ADMIN_PASSWORD":               "",
	"GF_SECURITY_COOKIE_SECURE":                "false",
	"GF_SECURITY_DISABLE_GRAVATAR":             "false",
	"GF_AUTH_ANONYMOUS_ENABLED":                "false",
	"GF_USERS_ALLOW_SIGN_UP":                   "true",
	"GF_METRICS_ENABLED":                       "true",
	"GF_ANALYTICS_REPORTING_ENABLED":           "true",
	"GF_ANALYTICS_CHECK_FOR_UPDATES":           "true",
	"GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES":    "true",
	"GF_NEWS_NEWS_FEED_ENABLED":                "true",
	"GF_SNAPSHOTS_EXTERNAL_ENABLED":            "true",
	"GF_PLUGINS_PREINSTALL_DISABLED":           "false",
	"GF_PLUGINS_PUBLIC_KEY_RETRIEVAL_DISABLED": "false",
	"GF_PATHS_PROVISIONING":                    "/etc/grafana/provisioning",
}

// only are the settings that have one value here: nothing is made for another, and nobody is called from here.
var only = map[string]string{
	"GF_SERVER_PROTOCOL":                    "https",
	"GF_AUTH_ANONYMOUS_ENABLED":             "false",
	"GF_USERS_ALLOW_SIGN_UP":                "false",
	"GF_METRICS_ENABLED":                    "false",
	"GF_ANALYTICS_REPORTING_ENABLED":        "false",
	"GF_ANALYTICS_CHECK_FOR_UPDATES":        "false",
	"GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
	"GF_NEWS_NEWS_FEED_ENABLED":             "false",
	"GF_SNAPSHOTS_EXTERNAL_ENABLED":         "false",
	"GF_PLUGINS_PREINSTALL_DISABLED":        "true",
}

// settings reads the environment. NAME__FILE stands for the content of a file, as in the real image's entry point.
func settings(environment []string) (map[string]string, error) {
	found := map[string]string{}
	for _, line := range environment {
		name, value, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, "GF_") {
			continue
		}
		if plain, isFile := strings.CutSuffix(name, "__FILE"); isFile {
			content, err := os.ReadFile(value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			name, value = plain, strings.TrimRight(string(content), "\n")
		}
		if _, isKnown := known[name]; !isKnown {
			return nil, fmt.Errorf("%s is not a setting of the stand-in", name)
		}
		if _, isTwice := found[name]; isTwice {
			return nil, fmt.Errorf("both %s and %s__FILE are set", name, name)
		}
		found[name] = value
	}
	for name, value := range known {
		if _, isSet := found[name]; !isSet {
			found[name] = value
		}
	}
	wrong := []string{}
	for name, value := range only {
		if found[name] != value {
			wrong = append(wrong, fmt.Sprintf("%s is %q; the stand-in knows %q only", name, found[name], value))
		}
	}
	for _, name := range []string{"GF_SECURITY_ADMIN_PASSWORD", "GF_SERVER_CERT_FILE", "GF_SERVER_CERT_KEY"} {
		if found[name] == "" {
			wrong = append(wrong, name+" is missing")
		}
	}
	sort.Strings(wrong)
	if len(wrong) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(wrong, "; "))
	}
	return found, nil
}
