// Package condition judges entity tags and ranges (RFC 9110 sections 8.8.3, 14.1.2). It runs in workers, and knows nothing of what is stored.
package condition
