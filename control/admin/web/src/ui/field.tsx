import { createContext, type ComponentChildren, type InputHTMLAttributes, type SelectHTMLAttributes, type TargetedEvent, type TextareaHTMLAttributes } from 'preact';
import { useContext, useId } from 'preact/hooks';
import { Icon } from './icons';

// What a control inside a Field needs to be tied to label, help and error.
const Tie = createContext<{ id?: string; describedby?: string; invalid?: boolean; required?: boolean }>({});

type FieldProps = { label: ComponentChildren; help?: ComponentChildren; error?: ComponentChildren; required?: boolean; aside?: ComponentChildren; children: ComponentChildren };

/** Field ties label, control, help and error together; Input, Select, Area and Switch below take the ids from it. */
export function Field({ label, help, error, required, aside, children }: FieldProps) {
  const id = useId();
  const described = [help && `${id}-h`, error && `${id}-e`].filter(Boolean).join(' ') || undefined;
  return (
    <div class="field">
      <label for={id}>
        <span>{label}</span>
        {aside}
      </label>
      <Tie.Provider value={{ id, describedby: described, invalid: Boolean(error), required }}>{children}</Tie.Provider>
      {error && (
        <div class="error" id={`${id}-e`} role="alert">
          <Icon name="warn" />
          <span>{error}</span>
        </div>
      )}
      {help && (
        <div class="help" id={`${id}-h`}>
          {help}
        </div>
      )}
    </div>
  );
}

function useTie() {
  const tie = useContext(Tie);
  return { id: tie.id, 'aria-describedby': tie.describedby, 'aria-invalid': tie.invalid || undefined, required: tie.required };
}

export function Input({ small, class: extra, ...rest }: InputHTMLAttributes<HTMLInputElement> & { small?: boolean }) {
  return <input class={['input', small && 'small', extra].filter(Boolean).join(' ')} autocomplete="off" spellcheck={false} {...useTie()} {...rest} />;
}

export function Area({ code, ...rest }: TextareaHTMLAttributes<HTMLTextAreaElement> & { code?: boolean }) {
  return <textarea class={code ? 'input code' : 'input'} spellcheck={false} {...useTie()} {...rest} />;
}

export type Option = { value: string; label: string; disabled?: boolean };

export function Select({ options, small, ...rest }: SelectHTMLAttributes<HTMLSelectElement> & { options: Option[]; small?: boolean }) {
  return (
    <select class={small ? 'input small' : 'input'} {...useTie()} {...rest}>
      {options.map((o) => (
        <option value={o.value} disabled={o.disabled}>
          {o.label}
        </option>
      ))}
    </select>
  );
}

type SwitchProps = { checked?: boolean; disabled?: boolean; name?: string; onChange?: (e: TargetedEvent<HTMLInputElement>) => void; children?: ComponentChildren };

/** Switch is a check box that looks like a switch; its words stand beside it. */
export function Switch({ children, ...rest }: SwitchProps) {
  return (
    <label class="switch">
      <input type="checkbox" role="switch" {...useTie()} {...rest} />
      <span>{children}</span>
    </label>
  );
}

export function Search({ value, onInput, label }: { value: string; onInput: (v: string) => void; label: string }) {
  return (
    <div class="search">
      <Icon name="search" />
      <input class="input" type="search" aria-label={label} placeholder={label} value={value} onInput={(e) => onInput(e.currentTarget.value)} data-search />
    </div>
  );
}
