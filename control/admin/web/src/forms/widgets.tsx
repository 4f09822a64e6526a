import { useState } from 'preact/hooks';
import { t } from '../i18n';
import { Area, Badge, Button, Input, Select, Switch } from '../ui';
import { parseNumber } from './check';
import { ListWidget } from './lists';
import { asText, tie, type WidgetProps } from './parts';
import { PickWidget, PicksWidget } from './picks';
import { defaultFlag, defaultText, isLong, widgetOf } from './schema';
import { MapWidget, TablesWidget } from './tables';

/** KeyWidget edits a value as the type of its key wants. */
export function KeyWidget(p: WidgetProps) {
  switch (widgetOf(p.of)) {
    case 'flag':
      return <FlagWidget {...p} />;
    case 'choice':
      return <ChoiceWidget {...p} />;
    case 'number':
      return <NumberWidget {...p} />;
    case 'long':
      return <LongWidget {...p} />;
    case 'pick':
      return <PickWidget {...p} />;
    case 'picks':
      return <PicksWidget {...p} />;
    case 'list':
    case 'secrets':
      return <ListWidget {...p} />;
    case 'map':
      return <MapWidget {...p} />;
    case 'tables':
      return <TablesWidget {...p} render={KeyWidget} />;
    case 'secret':
      return <SecretWidget {...p} />;
  }
  return <TextWidget {...p} />;
}

function placeholder(p: WidgetProps): string {
  const text = defaultText(p.of);
  return text && text.length < 60 ? text : '';
}

function TextWidget(p: WidgetProps) {
  const type = p.of.type;
  const short = type === 'duration' || type === 'size';
  return (
    <Input {...tie(p)} class={short ? 'mono short' : 'mono'} value={asText(p.value)} placeholder={placeholder(p)} onInput={(e) => p.onChange(typed(type, e.currentTarget.value))} />
  );
}

// A size may be a plain number of bytes, and then is one in TOML too.
function typed(type: string, text: string) {
  if (text === '') return undefined;
  return type === 'size' && /^\d+$/.test(text) ? parseNumber(text) : text;
}

function NumberWidget(p: WidgetProps) {
  const { unit } = p.of;
  return (
    <div class="row">
      <Input
        {...tie(p)}
        class="mono short"
        inputMode="decimal"
        value={asText(p.value)}
        placeholder={placeholder(p)}
        onInput={(e) => p.onChange(shareOrNumber(p.of.type, e.currentTarget.value))}
      />
      {unit && <span class="muted small">{unit}</span>}
    </div>
  );
}

function shareOrNumber(type: string, text: string) {
  return type === 'share' && text.includes('%') ? text : parseNumber(text);
}

function FlagWidget(p: WidgetProps) {
  const on = p.value === undefined ? defaultFlag(p.of) : p.value === true;
  // What is switched back to the default leaves the text again.
  const change = (checked: boolean) => p.onChange(checked === defaultFlag(p.of) ? undefined : checked);
  return (
    <Switch {...tie(p)} checked={on} onChange={(e) => change(e.currentTarget.checked)}>
      {t(on ? 'forms.on' : 'forms.off')}
    </Switch>
  );
}

function ChoiceWidget(p: WidgetProps) {
  const value = asText(p.value);
  const def = defaultText(p.of);
  const words = p.of.enum ?? [];
  const options = words.map((w) => ({ value: w, label: w }));
  if (!words.includes(value) && value !== '') options.push({ value, label: value });
  const none = { value: '', label: def ? t('forms.default_is', { value: def }) : t(p.of.required ? 'forms.choose' : 'forms.not_set') };
  return <Select {...tie(p)} value={value} options={[none, ...options]} onChange={(e) => p.onChange(e.currentTarget.value || undefined)} />;
}

function LongWidget(p: WidgetProps) {
  const value = asText(p.value);
  const rows = Math.min(14, Math.max(3, value.split('\n').length + 1));
  return (
    <div class="stack tight">
      <Area {...tie(p)} code rows={rows} value={value} placeholder={placeholder(p)} onInput={(e) => p.onChange(e.currentTarget.value || undefined)} />
      {takesFiles(p) && <FileButton onText={p.onChange} disabled={p.disabled} />}
    </div>
  );
}

function takesFiles(p: WidgetProps): boolean {
  return isLong(p.of) && /PEM|certificate|key/i.test(p.of.help ?? '');
}

const largest = 1 << 20;

function FileButton({ onText, disabled }: { onText: (text: string) => void; disabled?: boolean }) {
  const read = async (files: FileList | null) => {
    const file = files?.[0];
    if (file && file.size <= largest) onText(await file.text());
  };
  return (
    <label class="btn small file">
      {t('forms.from_file')}
      <input class="unseen" type="file" disabled={disabled} onChange={(e) => void read(e.currentTarget.files)} />
    </label>
  );
}

/** A secret that the server has is shown as kept, and stays so until it is replaced on purpose. */
function SecretWidget(p: WidgetProps) {
  const [open, setOpen] = useState(false);
  if (p.value === '***' && !open) {
    return (
      <div class="row">
        <Badge tone="info">{t('forms.secret_kept')}</Badge>
        <Button small id={p.id} disabled={p.disabled} aria-describedby={p.describedby} onClick={() => setOpen(true)}>
          {t('forms.secret_replace')}
        </Button>
      </div>
    );
  }
  const value = p.value === '***' ? '' : asText(p.value);
  const back = open && (
    <Button
      small
      kind="quiet"
      icon="undo"
      onClick={() => {
        setOpen(false);
        p.onChange('***');
      }}
    >
      {t('forms.secret_keep')}
    </Button>
  );
  const change = (text: string) => p.onChange(text || (open ? '***' : undefined));
  return (
    <div class="stack tight">
      {isLong(p.of) ? (
        <>
          <Area {...tie(p)} code rows={5} value={value} onInput={(e) => change(e.currentTarget.value)} />
          <FileButton onText={change} disabled={p.disabled} />
        </>
      ) : (
        <Input {...tie(p)} class="mono" type="password" autocomplete="new-password" value={value} onInput={(e) => change(e.currentTarget.value)} />
      )}
      {back}
    </div>
  );
}
