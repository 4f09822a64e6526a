// Everything that pages are made of.
export * from './basics';
export * from './dialog';
export * from './field';
export * from './format';
export * from './icons';
export * from './menu';
export * from './table';
export * from './time';
export * from './toast';
