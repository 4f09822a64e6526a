package dns01

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The examples are those of the providers' documents, with keys and signatures that they show.
func TestSignaturesAreThoseOfTheDocuments(t *testing.T) {
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	for _, c := range []struct {
		name string
		sign func() http.Header
		want string
	}{
		{"Alibaba Cloud", func() http.Header {
			h := header("host", "ecs.cn-shanghai.aliyuncs.com", "x-acs-action", "RunInstances", "x-acs-version", "2014-05-26",
				"x-acs-date", "2023-10-26T10:22:32Z", "x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d",
				"x-acs-content-sha256", hexSum(nil))
			q := url.Values{"ImageId": {"win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"}, "RegionId": {"cn-shanghai"}}
			signACS3("YourAccessKeyId", "YourAccessKeySecret", http.MethodPost, "/", q, h, nil)
			return h
		}, "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"},
		{"Huawei Cloud", func() http.Header {
			h := header("Content-Type", "application/json", "host", "service.region.example.com", "X-Sdk-Date", "20191115T033655Z")
			q := url.Values{"limit": {"2"}, "marker": {"13551d6b-755d-4757-b956-536f674975c0"}}
			signSDK("QTWAOYTTINDUT2QVKYUC", "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc", http.MethodGet,
				"/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs", q, h, nil)
			return h
		}, "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"},
		{"Tencent Cloud", func() http.Header {
			h := header("host", "cvm.tencentcloudapi.com", "Content-Type", "application/json; charset=utf-8", "X-TC-Timestamp", "1551113065", "X-TC-Action", "DescribeInstances")
			body := `{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`
			signTC3("AKID"+strings.Repeat("*", 32), strings.Repeat("*", 32), "cvm", "DescribeInstances", time.Unix(1551113065, 0), h, []byte(body))
			return h
		}, "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.sign().Get("Authorization")
			if !strings.HasSuffix(got, "Signature="+c.want) {
				t.Errorf("got %s, want a signature %s", got, c.want)
			}
		})
	}
}
