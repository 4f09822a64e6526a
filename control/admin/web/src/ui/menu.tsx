import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Icon, type IconName } from './icons';

export type MenuItem = { label: string; icon?: IconName; run?: () => void; href?: string; checked?: boolean; danger?: boolean };

/** Menu is a button with a list of choices below it; arrows, Escape and a click elsewhere do what one expects. */
export function Menu({ label, icon, items, children }: { label: string; icon?: IconName; items: MenuItem[]; children?: ComponentChildren }) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    const away = (e: Event) => !box.current?.contains(e.target as Node) && setOpen(false);
    document.addEventListener('pointerdown', away);
    box.current?.querySelector<HTMLElement>('[role^="menuitem"]')?.focus();
    return () => document.removeEventListener('pointerdown', away);
  }, [open]);
  const close = () => {
    setOpen(false);
    box.current?.querySelector<HTMLElement>('button')?.focus();
  };
  const key = (e: KeyboardEvent) => {
    if (!open) return;
    if (e.key === 'Escape') {
      e.stopPropagation();
      close();
      return;
    }
    const step = e.key === 'ArrowDown' ? 1 : e.key === 'ArrowUp' ? -1 : 0;
    if (!step) return;
    e.preventDefault();
    const all = [...box.current!.querySelectorAll<HTMLElement>('[role^="menuitem"]')];
    const at = all.indexOf(document.activeElement as HTMLElement);
    all[(at + step + all.length) % all.length]?.focus();
  };
  return (
    <div class="menu" ref={box} onKeyDown={key}>
      <button type="button" class={children ? 'btn quiet' : 'btn quiet icon'} aria-haspopup="menu" aria-expanded={open} aria-label={label} title={label} onClick={() => setOpen(!open)}>
        {icon && <Icon name={icon} />}
        {children}
      </button>
      {open && (
        <div class="list" role="menu" aria-label={label}>
          {items.map((item) => (
            <Item item={item} close={close} />
          ))}
        </div>
      )}
    </div>
  );
}

function Item({ item, close }: { item: MenuItem; close: () => void }) {
  const run = () => {
    close();
    item.run?.();
  };
  const inner = (
    <>
      {item.icon && <Icon name={item.icon} />}
      <span class="grow">{item.label}</span>
      {item.checked && <Icon name="check" />}
    </>
  );
  if (item.href) {
    return (
      <a class="item" role="menuitem" href={item.href} onClick={run}>
        {inner}
      </a>
    );
  }
  const role = item.checked === undefined ? 'menuitem' : 'menuitemradio';
  return (
    <button type="button" class="item" role={role} aria-checked={item.checked} onClick={run} style={item.danger ? { color: 'var(--bad)' } : undefined}>
      {inner}
    </button>
  );
}
