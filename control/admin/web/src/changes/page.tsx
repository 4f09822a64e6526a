import { Page, Skeleton } from '../ui';

export default function Waiting() {
  return (
    <Page title="…">
      <Skeleton />
    </Page>
  );
}
