import { useRoute } from '../app/router';
import { Editor } from './editor';
import { List } from './list';
import './objects.css';

/** Objects is the page of a category: all of it, or one object, or a new one (name=*). */
export default function Objects({ category }: { category: string }) {
  const { query } = useRoute();
  if (category === 'basic') return <Editor category="basic" name="basic" key="basic" />;
  const name = query.get('name');
  if (name === null) return <List category={category} key={category} />;
  if (name === '*') return <Editor category={category} name={null} copyOf={query.get('copy') ?? undefined} key={`${category}:*${query.get('copy') ?? ''}`} />;
  return <Editor category={category} name={name} key={`${category}:${name}`} />;
}
