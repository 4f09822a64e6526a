import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { CopyButton, Icon } from '../ui';
import type { TomlError } from './toml/scan';
import './forms.css';

type Props = { text: string; mistake?: TomlError; label: string; disabled?: boolean; minRows?: number; onText: (text: string) => void };

/** TomlEditor is a text field with line numbers. Tab leaves it, as everywhere: blanks indent in TOML. */
export function TomlEditor({ text, mistake, label, disabled, minRows = 12, onText }: Props) {
  const gutter = useRef<HTMLDivElement>(null);
  const area = useRef<HTMLTextAreaElement>(null);
  const [local, setLocal] = useState(text);
  // Setting the value of a text field moves its caret: only what came from elsewhere is set.
  useLayoutEffect(() => {
    if (area.current && area.current.value !== text) area.current.value = text;
    setLocal(text);
  }, [text]);
  const lines = local.split('\n').length;
  const input = (next: string) => {
    setLocal(next);
    onText(next);
  };
  return (
    <div class="toml">
      <div class="toml-box">
        <div class="gutter" ref={gutter} aria-hidden="true">
          {Array.from({ length: Math.max(lines, 1) }, (_, i) => (
            <span class={mistake?.line === i + 1 ? 'bad' : undefined}>{i + 1}</span>
          ))}
        </div>
        <textarea
          ref={area}
          class="code"
          aria-label={label}
          aria-invalid={mistake ? true : undefined}
          spellcheck={false}
          autocomplete="off"
          wrap="off"
          readOnly={disabled}
          rows={Math.min(Math.max(lines + 1, minRows), 34)}
          defaultValue={text}
          onInput={(e) => input(e.currentTarget.value)}
          onScroll={(e) => gutter.current && (gutter.current.scrollTop = e.currentTarget.scrollTop)}
        />
        <span class="copy">
          <CopyButton text={local} />
        </span>
      </div>
      {mistake && (
        <div class="field-error" role="alert">
          <Icon name="warn" />
          <span>{t('forms.line', { n: mistake.line, what: mistake.message })}</span>
        </div>
      )}
    </div>
  );
}
