import { useEffect, useState } from 'preact/hooks';
import { ApiError, post } from '../api/client';
import type { Explanation } from '../api/types';
import { link, navigate, useRoute } from '../app/router';
import { t } from '../i18n';
import { Area, Button, Card, Empty, Field, Input, Note, Page, Select, Skeleton } from '../ui';
import { Steps } from './steps';
import './explain.css';

const methods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'].map((value) => ({ value, label: value }));
const protocols = [
  { value: 'http/1.1', label: 'HTTP/1.1' },
  { value: 'h2', label: 'HTTP/2' },
  { value: 'grpc', label: 'gRPC' },
];

/** headersOf reads lines "name: value"; what is no such line is left out. */
export function headersOf(text: string): [string, string][] {
  return text
    .split('\n')
    .map((line) => [line.slice(0, line.indexOf(':')).trim(), line.slice(line.indexOf(':') + 1).trim()] as [string, string])
    .filter(([k]) => k !== '');
}

/** Explain asks what would happen to a request, and shows its way. The question is in the address, so that it can be passed on. */
export default function Explain() {
  const query = useRoute().query;
  const [method, setMethod] = useState(query.get('method') ?? 'GET');
  const [protocol, setProtocol] = useState(query.get('protocol') || 'http/1.1');
  const [url, setURL] = useState(query.get('url') ?? '');
  const [headers, setHeaders] = useState(query.get('headers') ?? '');
  const [client, setClient] = useState(query.get('client') ?? '');
  const [state, setState] = useState<{ busy?: boolean; error?: ApiError; said?: Explanation }>({});
  const ask = async () => {
    setState({ busy: true });
    try {
      const { data } = await post<Explanation>('/explain', { body: { method, protocol, url: whole(url), headers: headersOf(headers), client } });
      setState({ said: data });
    } catch (e) {
      setState({ error: e as ApiError });
    }
  };
  useEffect(() => {
    if (url) void ask();
  }, []);
  const submit = (e: Event) => {
    e.preventDefault();
    navigate(link('/explain', { method, protocol, url, headers, client }), true);
    void ask();
  };
  return (
    <Page title={t('nav.explain')} lead={t('explain.lead')}>
      <Card class="ask">
        <form onSubmit={submit}>
          <div class="ask-line">
            <Field label={t('explain.method')}><Select options={methods} value={method} onChange={(e) => setMethod(e.currentTarget.value)} /></Field>
            <Field label={t('explain.protocol')}><Select options={protocols} value={protocol} onChange={(e) => setProtocol(e.currentTarget.value)} /></Field>
            <Field label="URL" required><Input required placeholder="https://shop.example/api/products?page=2" value={url} onInput={(e) => setURL(e.currentTarget.value)} inputMode="url" data-search /></Field>
            <Button type="submit" kind="primary" icon="compass" busy={state.busy}>{t('explain.ask')}</Button>
          </div>
          <details open={Boolean(headers || client)}>
            <summary>{t('explain.more')}</summary>
            <div class="ask-more">
              <Field label={t('explain.headers')} help={t('explain.headers.help')}><Area code rows={3} value={headers} onInput={(e) => setHeaders(e.currentTarget.value)} placeholder={'Authorization: Bearer …\nCookie: sid=1'} /></Field>
              <Field label={t('explain.client')} help={t('explain.client.help')}><Input value={client} onInput={(e) => setClient(e.currentTarget.value)} placeholder="198.51.100.7" /></Field>
            </div>
          </details>
        </form>
      </Card>
      {state.error && <Note tone="bad">{state.error.message}</Note>}
      {state.busy && <Card><Skeleton lines={8} /></Card>}
      {state.said && [state.said, ...(state.said.also ?? [])].map((said) => <Steps said={said} />)}
      {!state.said && !state.busy && !state.error && <Card><Empty icon="compass" title={t('explain.empty')}>{t('explain.empty.text')}</Empty></Card>}
    </Page>
  );
}

// whole makes "shop.example/x" an address that can be asked for.
function whole(url: string): string {
  const text = url.trim();
  return /^[a-z]+:\/\//i.test(text) || text.startsWith('/') ? text : `http://${text}`;
}
