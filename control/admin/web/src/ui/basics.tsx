import type { ButtonHTMLAttributes, ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { t } from '../i18n';
import { Icon, type IconName } from './icons';

export type Tone = 'ok' | 'warn' | 'bad' | 'info' | 'accent' | 'mute';

type ButtonProps = Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'size' | 'icon'> & {
  kind?: 'primary' | 'quiet' | 'danger' | 'danger primary';
  small?: boolean;
  icon?: IconName;
  busy?: boolean;
};

/** Button with words. An icon alone needs IconButton, which wants a label. */
export function Button({ kind, small, icon, busy, class: extra, children, disabled, ...rest }: ButtonProps) {
  const cls = ['btn', kind, small && 'small', extra].filter(Boolean).join(' ');
  return (
    <button type="button" class={cls} disabled={disabled || busy} aria-busy={busy || undefined} {...rest}>
      {busy ? <span class="spin" /> : icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

type IconButtonProps = Omit<ButtonProps, 'children' | 'icon'> & { icon: IconName; label: string };

export function IconButton({ icon, label, small, kind = 'quiet', busy, class: extra, ...rest }: IconButtonProps) {
  return (
    <button type="button" class={['btn icon', kind, small && 'small', extra].filter(Boolean).join(' ')} aria-label={label} title={label} {...rest}>
      {busy ? <span class="spin" /> : <Icon name={icon} />}
    </button>
  );
}

/** LinkButton looks like a button and goes somewhere. */
export function LinkButton({ href, kind, small, icon, children }: { href: string; kind?: 'primary' | 'quiet'; small?: boolean; icon?: IconName; children: ComponentChildren }) {
  return (
    <a class={['btn', kind, small && 'small'].filter(Boolean).join(' ')} href={href}>
      {icon && <Icon name={icon} />}
      {children}
    </a>
  );
}

export function Badge({ tone = 'mute', dot, children, title }: { tone?: Tone; dot?: boolean; children: ComponentChildren; title?: string }) {
  return (
    <span class={`badge ${tone}`} title={title}>
      {dot && <span class="dot" />}
      {children}
    </span>
  );
}

/** Empty says why there is nothing, and what to do about it. */
export function Empty({ icon = 'box', title, children, action }: { icon?: IconName; title: string; children?: ComponentChildren; action?: ComponentChildren }) {
  return (
    <div class="empty">
      <Icon name={icon} />
      <strong>{title}</strong>
      {children && <p>{children}</p>}
      {action}
    </div>
  );
}

export function Skeleton({ lines = 4 }: { lines?: number }) {
  return (
    <div class="stack tight" role="status" aria-label={t('common.loading')}>
      {Array.from({ length: lines }, (_, i) => (
        <span class="skel" style={{ width: `${90 - ((i * 37) % 45)}%` }} />
      ))}
    </div>
  );
}

export function Note({ tone = 'info', children }: { tone?: 'info' | 'warn' | 'bad' | 'ok'; children: ComponentChildren }) {
  return (
    <div class={`note ${tone}`} role={tone === 'bad' ? 'alert' : undefined}>
      <Icon name={tone === 'ok' ? 'check' : tone === 'info' ? 'info' : 'warn'} />
      <div class="grow">{children}</div>
    </div>
  );
}

export function Card({ title, actions, children, pad = true, class: extra }: { title?: ComponentChildren; actions?: ComponentChildren; children?: ComponentChildren; pad?: boolean; class?: string }) {
  return (
    <section class={`card ${extra ?? ''}`}>
      {(title || actions) && (
        <header>
          <h2>{title}</h2>
          {actions}
        </header>
      )}
      {pad ? <div class="body">{children}</div> : children}
    </section>
  );
}

/** Page is the frame of every page: one h1, what it is for, and its actions. */
export function Page({ title, lead, actions, children }: { title: ComponentChildren; lead?: ComponentChildren; actions?: ComponentChildren; children: ComponentChildren }) {
  return (
    <div class="page">
      <header>
        <div class="titles">
          <h1 tabIndex={-1}>{title}</h1>
          {lead && <p>{lead}</p>}
        </div>
        {actions && <div class="actions">{actions}</div>}
      </header>
      <div class="stack">{children}</div>
    </div>
  );
}

export function Tabs<T extends string>({ value, options, onChange, label }: { value: T; options: { value: T; label: string }[]; onChange: (v: T) => void; label: string }) {
  const move = (e: KeyboardEvent) => {
    const step = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0;
    if (!step) return;
    const at = options.findIndex((o) => o.value === value);
    const next = options[(at + step + options.length) % options.length];
    onChange(next.value);
    const box = e.currentTarget as HTMLElement;
    requestAnimationFrame(() => box.querySelector<HTMLElement>('[aria-selected="true"]')?.focus());
  };
  return (
    <div class="tabs" role="tablist" aria-label={label} onKeyDown={move}>
      {options.map((o) => (
        <button type="button" role="tab" aria-selected={o.value === value} tabIndex={o.value === value ? 0 : -1} onClick={() => onChange(o.value)}>
          {o.label}
        </button>
      ))}
    </div>
  );
}

/** Segments choose one of a few; the choice is visible at once. */
export function Segments<T extends string>({ value, options, onChange, label }: { value: T; options: { value: T; label: string }[]; onChange: (v: T) => void; label: string }) {
  return (
    <div class="seg" role="group" aria-label={label}>
      {options.map((o) => (
        <button type="button" data-value={o.value} aria-pressed={o.value === value} onClick={() => onChange(o.value)}>
          {o.label}
        </button>
      ))}
    </div>
  );
}

export function CopyButton({ text, label = t('common.copy') }: { text: string; label?: string }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(text);
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return <IconButton small icon={done ? 'check' : 'copy'} label={done ? t('common.copied') : label} onClick={copy} />;
}
