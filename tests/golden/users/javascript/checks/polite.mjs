const polite = ['please', 'thank', 'sorry'];

export default (output, context) => {
  const found = polite.filter((word) => output.toLowerCase().includes(word));
  return {
    pass: found.length > 0,
    score: found.length / polite.length,
    reason: found.length ? `says ${found.join(', ')}` : `no polite word in the reply to "${context.vars.question}"`,
  };
};
