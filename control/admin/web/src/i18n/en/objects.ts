// Texts of objects, forms, changes and routes.
export default {
  'objects.soon': 'Loading',
};
