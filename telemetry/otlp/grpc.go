package otlp

import (
	"context"
	"crypto/tls"
	"net/http"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type grpcExporter struct {
	conn   *grpc.ClientConn
	client collector.LogsServiceClient
	calls  []grpc.CallOption
	more   metadata.MD
}

func newGRPC(o Options, config *tls.Config, more http.Header) (*grpcExporter, error) {
	secure := insecure.NewCredentials()
	if o.Secure {
		secure = credentials.NewTLS(config)
	}
	conn, err := grpc.NewClient(o.Host, grpc.WithTransportCredentials(secure), grpc.WithNoProxy(), grpc.WithUserAgent("pingap/"+o.Version),
		grpc.WithDisableServiceConfig(), grpc.WithDisableRetry())
	if err != nil {
		return nil, err
	}
	e := &grpcExporter{conn: conn, client: collector.NewLogsServiceClient(conn), calls: []grpc.CallOption{grpc.MaxCallRecvMsgSize(maxAnswer)}}
	e.more = metadata.MD{}
	for name, values := range more {
		e.more.Set(name, values...) // in small letters
	}
	if o.Gzip {
		e.calls = append(e.calls, grpc.UseCompressor(gzip.Name))
	}
	return e, nil
}

func (e *grpcExporter) export(ctx context.Context, m *collector.ExportLogsServiceRequest) (int, error) {
	answer, err := e.client.Export(metadata.NewOutgoingContext(ctx, e.more), m, e.calls...)
	if err != nil {
		switch status.Code(err) { // those that the protocol's specification lets a client try again
		case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss, codes.ResourceExhausted:
			return 0, err
		}
		return 0, permanent{err}
	}
	return int(answer.GetPartialSuccess().GetRejectedLogRecords()), nil
}

func (e *grpcExporter) close() error { return e.conn.Close() }
